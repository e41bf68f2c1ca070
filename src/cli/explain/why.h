// SPDX-License-Identifier: Apache-2.0
/* What a question after a path works with. */
#pragma once

#include <sys/stat.h>

#include "explain.h"

enum why_verdict {
	WHY_INSIDE,
	WHY_SHADOWED,      /* inside, but the image's own is found first */
	WHY_NOT_REQUESTED, /* the container asks for no GPU */
	WHY_REFUSED,       /* policy */
	WHY_CAPABILITY,    /* comes with one that wasn't asked for */
	WHY_OTHER_GPU,     /* a GPU's or MIG instance's that isn't selected */
	WHY_FEATURE,       /* comes with a variable of its own, NVIDIA_GDS and so on */
	WHY_HOST_LACKS,    /* davit knows it, the host hasn't got it */
	WHY_OTHER_VERSION, /* another driver's */
	WHY_NOT_OF_DRIVER, /* davit doesn't know it: the image's own, or nobody's */
	WHY_VOLUME,        /* a volume is there, in which nothing is made */
	WHY_FAILED,        /* the container can't be given its GPUs at all */
};

struct why_answer {
	enum why_verdict verdict;
	const struct operation *operation; /* that puts it there, or would; or NULL */
	const char *source;                /* then what it takes */
	const char *reason, *fix;          /* sentences; or NULL */
	struct strings notes;
};

struct why_question {
	const char *path, *name; /* as asked, and its last component */
	bool bare;               /* there is nothing but the name */
	struct stat host;        /* what the host has at that path; st_ino 0: nothing */
	struct arena *arena;
};

/*
 * The operation of the plan that is about the path: by its place in the container, by a bound
 * directory above it or, for a path of the host, by what it takes. NULL: none.
 */
const struct operation *why_find(const struct why_question *question,
				 const struct pipeline *pipeline, const struct root *root);
/* Whether the host has, or will have, what the operation takes. */
bool why_source_exists(const struct pipeline *pipeline, const struct operation *operation);

/* What would have to be asked for to get it: tries requests. True: `ret` is filled. */
bool why_suggest_request(const struct why_question *question, const struct explanation *explanation,
			 struct why_answer *ret);
/*
 * A file that a container with all capabilities has, or that a driver may have, and whose name
 * begins with the question's: "libcuda.so.1" for "libcuda". NULL: none.
 */
const char *why_complete_name(const struct why_question *question,
			      const struct explanation *explanation);
