// SPDX-License-Identifier: Apache-2.0
/*
 * base: errors, log, memory, strings, bounded parsing and clean-up.
 * The lowest module: it makes no system call but write(2) for the log and those of malloc(3) and
 * of the clock.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As which release of NVIDIA's toolkit davit answers under its names: the one it is compared with.
 */
#define NVIDIA_TOOLKIT_VERSION "1.20.0"

#define PRINTF_LIKE(position, first) __attribute__((format(printf, position, first)))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* ---- clean-up --------------------------------------------------------------------------- */

/* Closes *fd when it is >= 0 and sets it to -1; errno is preserved. */
void fd_close(int *fd);
/* Hands the descriptor in *fd to the caller and leaves -1 behind. */
int fd_take(int *fd);
/* A descriptor that closes itself: `AUTO_FD fd = open(...);`. Always initialise it. */
#define AUTO_FD __attribute__((cleanup(fd_close))) int

/* ---- errors ----------------------------------------------------------------------------- */

/* What kind of failure it is; `error_code_name` gives the stable names of `davit explain --json`.
 */
enum error_code {
	ERROR_NONE,
	ERROR_BAD_BUNDLE,      /* state or config.json */
	ERROR_BAD_CONFIG,      /* our configuration file */
	ERROR_BAD_REQUEST,     /* what the container asks for is malformed or unsupported */
	ERROR_REFUSED,         /* policy says no */
	ERROR_UNSATISFIED,     /* a NVIDIA_REQUIRE_* constraint does not hold */
	ERROR_UNKNOWN_DEVICE,  /* no such GPU, MIG instance or channel */
	ERROR_NO_DRIVER,       /* kernel module, nodes or userland absent */
	ERROR_DRIVER_MISMATCH, /* userland of another version than the kernel module */
	ERROR_IMAGE,           /* something in the container's root is in the way */
	ERROR_SYSTEM,          /* a system call failed */
};

/*
 * Filled by the function that fails. `message` continues the words "cannot": it begins with a verb
 * ("open /dev/nvidia0: No such file or directory"); `fix` is a remedy in the imperative, or empty.
 * Both hold printable characters only: whatever else is put in is shown as `?`.
 */
struct error {
	enum error_code code;
	char message[320];
	char fix[200];
};

/* Fills err and returns -errnum. `fix` may be NULL. */
int error_set(struct error *err, enum error_code code, int errnum, const char *fix,
	      const char *format, ...) PRINTF_LIKE(5, 6);
/* The same with a formatted remedy: call it after error_set. Returns r. */
int error_fix(struct error *err, int r, const char *format, ...) PRINTF_LIKE(3, 4);
/* Code ERROR_SYSTEM, and the text of errnum (positive) appended: "FORMAT: text". Returns -errnum.
 */
int error_errno(struct error *err, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);
/*
 * A file couldn't be read: "read FORMAT: CAUSE". EINVAL, which root_read and file_load return for
 * anything else than a regular file, is explained as that. Returns -errnum.
 */
int error_read(struct error *err, enum error_code code, int errnum, const char *fix,
	       const char *format, ...) PRINTF_LIKE(5, 6);
/* Out of memory: ERROR_SYSTEM, returns -ENOMEM. */
int error_memory(struct error *err);
/* From here on it says that the process is held to that much. */
void error_memory_limit(unsigned mib);
/* Puts "FORMAT: cannot " before the message: what the caller was doing. Returns r. */
int error_wrap(struct error *err, int r, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "FORMAT: " before a message that isn't a clause of its own, but the cause. Returns r. */
int error_prefix(struct error *err, int r, const char *format, ...) PRINTF_LIKE(3, 4);
const char *error_code_name(enum error_code code);
/* The exit code that goes with it: 1, or 3 when the request can't be met. */
int error_exit_code(const struct error *err);

/* What to do about it: err->fix or, when it has none, what its code says. */
const char *error_remedy(const struct error *err);

#define ERROR_LINE_MAX 400
/*
 * Writes "davit: cannot MESSAGE (fix: FIX)" without newline, at most 400 characters with the NUL;
 * an error without a remedy gets one by its code.
 */
void error_line(const struct error *err, char line[static ERROR_LINE_MAX]);

/* ---- log -------------------------------------------------------------------------------- */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * Where lines go (fd, not owned) and up to which level; before the first call nothing is logged.
 * When a descriptor can't be written, standard error takes its place for errors and warnings.
 */
void log_to(int fd, enum log_level level);
bool log_enabled(enum log_level level);
/* Whether lines go to that descriptor. */
bool log_goes_to(int fd);
/* Since the first call of log_to. */
double log_milliseconds(void);
/*
 * One line in one write(2): date and time (not on standard error), process id, milliseconds since
 * the first call of log_to, the level, the text; control characters as `?`.
 */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/*
 * What a program fails with: "CODE: davit: cannot ...", CODE as error_code_name has it (`davit
 * metrics` counts them). Not on standard error, where main prints the line itself.
 */
void log_error(const struct error *err);
/* "error", "warning", "info", "debug" -> level; -EINVAL for anything else. */
int log_level_parse(const char *name, enum log_level *ret);

/* ---- memory ----------------------------------------------------------------------------- */

/*
 * Everything that one run decides lives in one arena and is freed at once. Zero-initialise it:
 * `AUTO_ARENA arena = {0};`. All functions return NULL when there is no memory.
 */
struct arena_block;
struct arena {
	struct arena_block *head;
};
void arena_free(struct arena *arena);
#define AUTO_ARENA __attribute__((cleanup(arena_free))) struct arena

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * A growing array: any struct with the members `items`, `count` and `capacity`.
 * ARENA_PUSH gives a pointer to a new zeroed item at its end, or NULL.
 */
#define ARENA_PUSH(arena, array)                                                     \
	((__typeof__((array)->items))arena_push((arena), (void **)&(array)->items,   \
						&(array)->count, &(array)->capacity, \
						sizeof(*(array)->items)))
void *arena_push(struct arena *arena, void **items, size_t *count, size_t *capacity, size_t size);
/* ARENA_RESERVE makes room for that many items in all, so that they aren't moved. 0 or -ENOMEM. */
#define ARENA_RESERVE(arena, array, room)                                                      \
	arena_make_room((arena), (void **)&(array)->items, (array)->count, &(array)->capacity, \
			(room), sizeof(*(array)->items))
int arena_make_room(struct arena *arena, void **items, size_t count, size_t *capacity, size_t room,
		    size_t size);

/*
 * Sorts as qsort(3) does, and keeps equal items in their order. Without its system calls: for large
 * arrays the C library asks for the size of memory, which the hook's filter kills. 0 or -ENOMEM.
 */
int sort_items(struct arena *arena, void *items, size_t count, size_t size,
	       int (*compare)(const void *a, const void *b));

/* ---- strings ---------------------------------------------------------------------------- */

/* A list of strings; the strings live where they came from (usually the same arena). */
struct strings {
	const char **items;
	size_t count, capacity;
};
/* 0 or -ENOMEM; `text` is not copied. */
int strings_add(struct arena *arena, struct strings *list, const char *text);
bool strings_contain(const struct strings *list, const char *text);
/* "a, b, c"; "" for an empty list; NULL without memory. */
const char *strings_join(struct arena *arena, const struct strings *list, const char *separator);
/* The same, or as many as fit and how many more there are: "a, b and 3 more". For messages. */
const char *strings_list(struct arena *arena, const struct strings *list, size_t max);

bool string_equal(const char *a, const char *b); /* NULL equals only NULL */
bool string_starts(const char *text, const char *prefix);
bool string_ends(const char *text, const char *suffix);
/* The candidate with the smallest edit distance, at most 2 (3 for names over 8), or NULL. */
const char *string_nearest(const char *text, const char *const *candidates, size_t count);
/* Replaces every byte of text that isn't printable ASCII with `?`: for messages. */
void string_printable(char *text);

/* ---- bounded parsing -------------------------------------------------------------------- */

/*
 * The whole of text[0..length) as a number without sign or blanks. 0, -EINVAL (not a number, or
 * empty) or -ERANGE (over max).
 */
int parse_number(const char *text, size_t length, unsigned base, uint64_t max, uint64_t *ret);

/*
 * Splits text at newlines or another separator without changing it:
 *     struct slice rest = slice_from(text), line;
 *     while (slice_next(&rest, '\n', &line)) ...
 */
struct slice {
	const char *data;
	size_t length;
};
struct slice slice_from(const char *text);
bool slice_next(struct slice *rest, char separator, struct slice *ret);
struct slice slice_trim(struct slice slice); /* ASCII white space at both ends */
bool slice_equal(struct slice slice, const char *text);
bool slice_starts(struct slice slice, const char *prefix);

/*
 * Compares versions ("580.159.04", "12.10") number by number: <0, 0, >0. Missing parts count as 0,
 * parts that are no number too.
 */
int version_compare(const char *a, const char *b);
