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

/* The release of NVIDIA's toolkit that davit reports under NVIDIA's names, and is compared with. */
#define NVIDIA_TOOLKIT_VERSION "1.20.0"

#define PRINTF_LIKE(position, first) __attribute__((format(printf, position, first)))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* ---- clean-up --------------------------------------------------------------------------- */

/* Closes *fd if it is >= 0, and sets it to -1. errno is preserved. */
void fd_close(int *fd);
/* Transfers the descriptor to the caller, and sets *fd to -1. */
int fd_take(int *fd);
/* A descriptor that closes itself: `AUTO_FD fd = open(...);`. Always initialise it. */
#define AUTO_FD __attribute__((cleanup(fd_close))) int

/* ---- errors ----------------------------------------------------------------------------- */

/* The kind of a failure. error_code_name returns the stable names in `davit explain --json`. */
enum error_code {
	ERROR_NONE,
	ERROR_BAD_BUNDLE,      /* state or config.json */
	ERROR_BAD_CONFIG,      /* davit's configuration file */
	ERROR_BAD_REQUEST,     /* the request is malformed or unsupported */
	ERROR_REFUSED,         /* the policy doesn't allow it */
	ERROR_UNSATISFIED,     /* a NVIDIA_REQUIRE_* constraint isn't satisfied */
	ERROR_UNKNOWN_DEVICE,  /* no such GPU, MIG instance or channel */
	ERROR_NO_DRIVER,       /* no kernel module, nodes or libraries */
	ERROR_DRIVER_MISMATCH, /* kernel module and libraries have different versions */
	ERROR_IMAGE,           /* a file in the container's root prevents it */
	ERROR_SYSTEM,          /* a system call failed */
};

/*
 * Filled by the failing function. `message` follows the word "cannot" and begins with a verb ("open
 * /dev/nvidia0: No such file or directory"). `fix` is a remedy in the imperative, or "". Other than
 * printable characters are replaced with `?`.
 */
struct error {
	enum error_code code;
	char message[320];
	char fix[200];
};

/* Fills err and returns -errnum. `fix` may be NULL. */
int error_set(struct error *err, enum error_code code, int errnum, const char *fix,
	      const char *format, ...) PRINTF_LIKE(5, 6);
/* Sets a formatted remedy, after error_set. Returns r. */
int error_fix(struct error *err, int r, const char *format, ...) PRINTF_LIKE(3, 4);
/* ERROR_SYSTEM, with the text of errnum (positive): "FORMAT: text". Returns -errnum. */
int error_errno(struct error *err, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);
/*
 * For a file that can't be read: "read FORMAT: CAUSE". EINVAL means "not a regular file", as in
 * root_read and file_load. Returns -errnum.
 */
int error_read(struct error *err, enum error_code code, int errnum, const char *fix,
	       const char *format, ...) PRINTF_LIKE(5, 6);
/* Out of memory: ERROR_SYSTEM, returns -ENOMEM. */
int error_memory(struct error *err);
/* From now on, error_memory names this limit. */
void error_memory_limit(unsigned mib);
/* Puts "FORMAT: cannot " before the message. FORMAT is the caller's step. Returns r. */
int error_wrap(struct error *err, int r, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "FORMAT: " before a message that is only a cause, not a clause. Returns r. */
int error_prefix(struct error *err, int r, const char *format, ...) PRINTF_LIKE(3, 4);
const char *error_code_name(enum error_code code);
/* The exit code for the error: 1, or 3 if the host can't satisfy the request. */
int error_exit_code(const struct error *err);

/* err->fix or, if it is empty, the remedy of its code. */
const char *error_remedy(const struct error *err);

#define ERROR_LINE_MAX 400
/*
 * Writes "davit: cannot MESSAGE (fix: FIX)" without a newline, at most 400 characters with the NUL.
 * An error without a remedy gets the one of its code.
 */
void error_line(const struct error *err, char line[static ERROR_LINE_MAX]);

/* ---- log -------------------------------------------------------------------------------- */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * Sets the log's descriptor (not owned) and level. Before the first call, nothing is logged. If the
 * descriptor can't be written, errors and warnings are printed on standard error.
 */
void log_to(int fd, enum log_level level);
bool log_enabled(enum log_level level);
/* Whether that descriptor is the log's. */
bool log_goes_to(int fd);
/* Milliseconds since the first call of log_to. */
double log_milliseconds(void);
/*
 * Logs one line with one write(2): date and time (not on standard error), process id, milliseconds
 * since the first call of log_to, level, text. Control characters are replaced with `?`.
 */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/*
 * Logs the error with which a program fails: "CODE: davit: cannot ...", with error_code_name's CODE
 * (`davit metrics` counts them). Not on standard error, where main prints the line itself.
 */
void log_error(const struct error *err);
/* Parses "error", "warning", "info" or "debug". 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret);

/* ---- memory ----------------------------------------------------------------------------- */

/*
 * An arena: all data of one run is in one arena and is freed at once. Zero-initialise it:
 * `AUTO_ARENA arena = {0};`. All functions return NULL if there is no memory.
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
 * A growing array: any struct with the members `items`, `count` and `capacity`. ARENA_PUSH appends
 * a zeroed item and returns a pointer to it, or NULL.
 */
#define ARENA_PUSH(arena, array)                                                     \
	((__typeof__((array)->items))arena_push((arena), (void **)&(array)->items,   \
						&(array)->count, &(array)->capacity, \
						sizeof(*(array)->items)))
void *arena_push(struct arena *arena, void **items, size_t *count, size_t *capacity, size_t size);
/* ARENA_RESERVE allocates that many items in total, so that they aren't moved. 0 or -ENOMEM. */
#define ARENA_RESERVE(arena, array, room)                                                      \
	arena_make_room((arena), (void **)&(array)->items, (array)->count, &(array)->capacity, \
			(room), sizeof(*(array)->items))
int arena_make_room(struct arena *arena, void **items, size_t count, size_t *capacity, size_t room,
		    size_t size);

/*
 * Sorts like qsort(3), but is stable and makes no system calls. (For large arrays, the C library
 * reads the size of the memory, for which the hook's filter kills the process.) 0 or -ENOMEM.
 */
int sort_items(struct arena *arena, void *items, size_t count, size_t size,
	       int (*compare)(const void *a, const void *b));

/* ---- strings ---------------------------------------------------------------------------- */

/* A list of strings. It doesn't own them; usually they are in the same arena. */
struct strings {
	const char **items;
	size_t count, capacity;
};
/* 0 or -ENOMEM; `text` is not copied. */
int strings_add(struct arena *arena, struct strings *list, const char *text);
bool strings_contain(const struct strings *list, const char *text);
/* "a, b, c"; "" for an empty list; NULL: no memory. */
const char *strings_join(struct arena *arena, const struct strings *list, const char *separator);
/* The same for messages, shortened to about `max` characters: "a, b and 3 more". */
const char *strings_list(struct arena *arena, const struct strings *list, size_t max);

bool string_equal(const char *a, const char *b); /* NULL equals only NULL */
bool string_starts(const char *text, const char *prefix);
bool string_ends(const char *text, const char *suffix);
/* The candidate with the smallest edit distance, at most 2 (3 for names over 8), or NULL. */
const char *string_nearest(const char *text, const char *const *candidates, size_t count);
/* For messages: replaces every byte that isn't printable ASCII with `?`. */
void string_printable(char *text);

/* ---- bounded parsing -------------------------------------------------------------------- */

/*
 * Parses text[0..length) as a number without sign or blanks. 0, -EINVAL (empty, or not a number) or
 * -ERANGE (more than max).
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
 * Compares versions ("580.159.04", "12.10") number by number: <0, 0, >0. Parts that are missing or
 * aren't numbers count as 0.
 */
int version_compare(const char *a, const char *b);
