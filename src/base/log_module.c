/* Levels: the program's, and those of modules that have their own. */
#include "log_impl.h"

#include <string.h>

/** A module that a file belongs to, or that was given a level. */
typedef struct named_module {
    weir__log_module in_force;
    char name[WEIR_LOG_MODULE_NAME_MAX];
    int own; /* its level; FOLLOWS: it has none */
} named_module;

/** What a text of levels says. */
typedef struct level_set {
    int main; /* FOLLOWS: nothing */
    int of[WEIR_LOG_MODULES_MAX];
} level_set;

enum {
    FOLLOWS = -1
};

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error", "off"};

weir__log_module weir__log_main = {.level = WEIR_LOG_LEVEL_OFF};
weir__log_module weir__log_unknown = {.level = -1};

/* Under the shared lock. */
static named_module modules[WEIR_LOG_MODULES_MAX];
static size_t module_count;
static bool on;
static weir_log_level main_level;

static pthread_mutex_t *const lock = &weir__log_shared.lock;

static void set(weir__log_module *module, int level)
{
    __atomic_store_n(&module->level, on ? level : WEIR_LOG_LEVEL_OFF, __ATOMIC_RELAXED);
}

static void apply(named_module *module)
{
    set(&module->in_force, module->own == FOLLOWS ? (int)main_level : module->own);
}

static void apply_all(void)
{
    set(&weir__log_main, (int)main_level);
    for (size_t i = 0; i < module_count; i++)
        apply(&modules[i]);
}

void weir__log_switch(bool now_on)
{
    on = now_on;
    apply_all();
}

void weir__log_set_main_level(weir_log_level level)
{
    main_level = level;
    apply_all();
}

/** The module of that name, made if need be; NULL: the table is full. */
static named_module *module_of(const char *name, size_t len)
{
    for (size_t i = 0; i < module_count; i++)
        if (strncmp(modules[i].name, name, len) == 0 && modules[i].name[len] == '\0')
            return &modules[i];
    if (module_count == WEIR_LOG_MODULES_MAX)
        return NULL;
    named_module *module = &modules[module_count++];
    memcpy(module->name, name, len);
    module->own = FOLLOWS;
    apply(module);
    return module;
}

static bool is_name(size_t len)
{
    return len > 0 && len < WEIR_LOG_MODULE_NAME_MAX;
}

bool weir__log_join(weir__log_module **here, const char *name, weir_log_level level)
{
    size_t len = strlen(name);
    pthread_mutex_lock(lock);
    named_module *found = is_name(len) ? module_of(name, len) : NULL;
    pthread_mutex_unlock(lock);
    weir__log_module *module = found ? &found->in_force : &weir__log_main;
    __atomic_store_n(here, module, __ATOMIC_RELAXED);
    return (int)level >= __atomic_load_n(&module->level, __ATOMIC_RELAXED);
}

void weir_log_set_level(weir_log_level level)
{
    pthread_mutex_lock(lock);
    if (on)
        weir__log_set_main_level(level);
    pthread_mutex_unlock(lock);
}

weir_err weir_log_set_module_level(const char *name, weir_log_level level)
{
    size_t len = strlen(name);
    if (!is_name(len))
        return WEIR_EINVAL;
    pthread_mutex_lock(lock);
    named_module *module = module_of(name, len);
    if (module) {
        module->own = (int)level;
        apply(module);
    }
    pthread_mutex_unlock(lock);
    return module ? WEIR_OK : WEIR_EFULL;
}

/* Levels as text. */

static bool read_level(const char *text, size_t len, int *out)
{
    for (int i = 0; i <= WEIR_LOG_LEVEL_OFF; i++) {
        if (strlen(level_names[i]) == len && memcmp(text, level_names[i], len) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/** "net=debug" or "info". Under lock. */
static weir_err read_item(level_set *out, const char *item, size_t len, weir_why *why)
{
    const char *equals = memchr(item, '=', len);
    const char *level = equals ? equals + 1 : item;
    size_t name_len = equals ? (size_t)(equals - item) : 0;
    int number;
    if (!read_level(level, len - (size_t)(level - item), &number))
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.*s\": a level is trace, debug, info, warn, error or off", (int)len,
                            item);
    if (!equals) {
        out->main = number;
        return WEIR_OK;
    }
    if (!is_name(name_len))
        return weir_why_set(why, WEIR_EINVAL, "\"%.*s\": a module's name has 1 to %d bytes",
                            (int)len, item, WEIR_LOG_MODULE_NAME_MAX - 1);
    const named_module *module = module_of(item, name_len);
    if (!module)
        return weir_why_set(why, WEIR_EFULL, "\"%.*s\": there are %d modules already", (int)len,
                            item, WEIR_LOG_MODULES_MAX);
    out->of[module - modules] = number;
    return WEIR_OK;
}

/** Under lock. */
static weir_err read_levels(level_set *out, const char *text, weir_why *why)
{
    out->main = FOLLOWS;
    for (size_t i = 0; i < WEIR_LOG_MODULES_MAX; i++)
        out->of[i] = FOLLOWS;
    for (;; text++) {
        size_t len = strcspn(text, ",");
        weir_err err = read_item(out, text, len, why);
        text += len;
        if (err || *text == '\0')
            return err;
    }
}

/** Under lock. */
static void use(const level_set *levels)
{
    for (size_t i = 0; i < module_count; i++)
        modules[i].own = levels->of[i];
    if (on && levels->main != FOLLOWS)
        main_level = (weir_log_level)levels->main;
    apply_all();
}

weir_err weir_log_set_levels(const char *text, weir_why *why)
{
    level_set levels;
    pthread_mutex_lock(lock);
    weir_err err = read_levels(&levels, text, why);
    if (!err)
        use(&levels);
    pthread_mutex_unlock(lock);
    return err;
}
