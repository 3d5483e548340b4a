/** @file All of the naming layer. */
#ifndef WEIR_NAMING_NAMING_H
#define WEIR_NAMING_NAMING_H

#include <weir/naming/endpoint.h>
#include <weir/naming/json_text.h>
#include <weir/naming/registry.h>
#include <weir/naming/resolver.h>
#include <weir/naming/service_config.h>

#endif
