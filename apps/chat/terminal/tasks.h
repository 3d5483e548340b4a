/** @file What is done once and needs no stream: "weir-chat ... notify" and its like. */
#ifndef CHAT_TERMINAL_TASKS_H
#define CHAT_TERMINAL_TASKS_H

#include "options.h"

/** The command that follows the options. @return the exit status */
int task_run(const options *options);

#endif
