/**
 * @file
 * Names of rolled log files: "FILE.20260131-123456.123456.PID", so that by name is by age.
 */
#ifndef WEIR_BASE_LOG_ROLL_H
#define WEIR_BASE_LOG_ROLL_H

#include <weir/base/err.h>
#include <weir/base/time.h>

/** Renames the live file; the first free name from that time on. */
weir_err weir__log_rename(const char *path, weir_wall now);

/** Removes the oldest rolled files beyond `keep`. What cannot be removed stays. */
void weir__log_prune(const char *path, unsigned keep);

#endif
