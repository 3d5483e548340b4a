#include "password.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

bool password_ask(const char *prompt, char *out, size_t room)
{
    FILE *terminal = fopen("/dev/tty", "r+e");
    struct termios before, quiet;
    if (!terminal)
        return false;
    bool good = tcgetattr(fileno(terminal), &before) == 0;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    good = good && tcsetattr(fileno(terminal), TCSAFLUSH, &quiet) == 0;
    if (good) {
        fputs(prompt, terminal);
        fflush(terminal);
        good = fgets(out, (int)room, terminal) != NULL;
        tcsetattr(fileno(terminal), TCSAFLUSH, &before);
        fputc('\n', terminal);
    }
    fclose(terminal);
    if (!good)
        return false;
    out[strcspn(out, "\r\n")] = 0;
    return *out != 0;
}
