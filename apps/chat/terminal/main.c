/* weir-chat: the terminal client. */
#include <stdio.h>
#include <unistd.h>

#include "options.h"
#include "password.h"
#include "screen.h"
#include "session.h"
#include "tasks.h"
#include "texts.h"

int main(int argc, char **argv)
{
    char typed[256], prompt[256];
    options o = options_read(argc, argv);
    screen_open();
    if (!o.password) {
        snprintf(prompt, sizeof prompt, text(TEXT_PASSWORD), o.user);
        if (!isatty(STDIN_FILENO) || !password_ask(prompt, typed, sizeof typed))
            options_refuse(text(TEXT_NO_PASSWORD));
        o.password = typed;
    }
    return o.count > 0 ? task_run(&o) : session_run(&o);
}
