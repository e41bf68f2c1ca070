// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit explain --why`. */
#pragma once

#include <sys/stat.h>

#include "explain.h"

enum why_verdict {
	WHY_INSIDE,
	WHY_SHADOWED,      /* inside, but the image's own file is found first */
	WHY_NOT_REQUESTED, /* the container requests no GPU */
	WHY_REFUSED,       /* policy */
	WHY_CAPABILITY,    /* requires a capability that wasn't requested */
	WHY_OTHER_GPU,     /* belongs to a GPU or MIG instance that isn't selected */
	WHY_FEATURE,       /* requires its own variable, such as NVIDIA_GDS */
	WHY_HOST_LACKS,    /* davit knows it, but the host lacks it */
	WHY_OTHER_VERSION, /* another driver's */
	WHY_NOT_OF_DRIVER, /* davit doesn't know it: a file of the image, or none */
	WHY_VOLUME,        /* the path lies in a volume, in which nothing is created */
	WHY_FAILED,        /* the container's request fails as a whole */
};

struct why_answer {
	enum why_verdict verdict;
	const struct operation *operation; /* adds the path, or would add it; or NULL */
	const char *source;                /* the operation's source */
	const char *reason, *fix;          /* sentences; or NULL */
	struct strings notes;
};

struct why_question {
	const char *path, *name; /* as asked, and its last component */
	bool bare;               /* only a name was given */
	struct stat host;        /* what the host has at that path; st_ino 0: nothing */
	struct arena *arena;
};

/*
 * The plan's operation for the path: by its target, by a bound directory above it or, for a host
 * path, by its source. NULL: none.
 */
const struct operation *why_find(const struct why_question *question,
				 const struct pipeline *pipeline, const struct root *root);
/* Whether the host has, or will have, the operation's source. */
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
