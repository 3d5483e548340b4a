/* Runs registered cases one process each; the last line counts them. */
#include "test.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CASE_LIMIT_S = 120
};

static struct weir_test_case *first;
static struct weir_test_case **last = &first;

void weir_test_register(struct weir_test_case *test)
{
    *last = test;
    last = &test->next;
}

static void run_in_child(const struct weir_test_case *test)
{
    alarm(CASE_LIMIT_S);
    const struct CMUnitTest unit = {test->name, test->run, NULL, NULL, NULL};
    exit(_cmocka_run_group_tests(test->name, &unit, 1, NULL, NULL) == 0 ? 0 : 1);
}

/** Whether the case passed; what it printed is shown only when it did not, or with
 * WEIR_TEST_VERBOSE in the environment. */
static int run_case(const struct weir_test_case *test)
{
    FILE *said = tmpfile();
    if (!said)
        return 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(said), STDOUT_FILENO);
        dup2(fileno(said), STDERR_FILENO);
        run_in_child(test);
    }
    int status = 1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = 1;
    if (status != 0 || getenv("WEIR_TEST_VERBOSE")) {
        char line[1024];
        rewind(said);
        while (fgets(line, sizeof line, said))
            fputs(line, stdout);
        if (WIFSIGNALED(status))
            printf("%s: ended by signal %d (%s)\n", test->name, WTERMSIG(status),
                   WTERMSIG(status) == SIGALRM ? "time limit" : strsignal(WTERMSIG(status)));
        if (status != 0)
            printf("FAILED %s\n", test->name);
    }
    fclose(said);
    return status == 0;
}

int main(int argc, char **argv)
{
    const char *pattern = argc > 1 ? argv[1] : "*";
    int passed = 0, failed = 0;
    for (const struct weir_test_case *test = first; test; test = test->next) {
        if (fnmatch(pattern, test->name, 0) != 0)
            continue;
        if (run_case(test))
            passed++;
        else
            failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
