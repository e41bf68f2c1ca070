// SPDX-License-Identifier: Apache-2.0
/* What the parts of `davit explain` share. */
#pragma once

#include "cli.h"
#include "davit/try.h"
#include "output/tree.h"

/* What a bundle that davit-runtime has edited contains; also what its engine put there. */
struct explain_written {
	struct strings nodes, rules, groups; /* of config.json, as lines */
	struct plan plan;                    /* of davit.json */
};

/* A bundle and the stages that were completed for it. If one failed, err says why. */
struct explanation {
	struct pipeline pipeline;
	struct root root;                  /* the container's, once there is something to plan */
	struct image_volumes *volumes;     /* then its volumes; NULL: config.json has none */
	const struct try_request *request; /* explain_options.request */
	struct explain_written *written;   /* NULL: davit-runtime hasn't edited it */
	struct error err;
};
void explanation_close(struct explanation *explanation);
#define AUTO_EXPLANATION __attribute__((cleanup(explanation_close))) struct explanation
#define EXPLANATION_INIT                                       \
	{                                                      \
		.pipeline = PIPELINE_INIT, .root = {.fd = -1 } \
	}

struct explain_options {
	const struct config *config;
	bool for_runtime;                  /* as davit-runtime decides, not as the hook */
	const struct try_request *request; /* instead of the bundle's own; or NULL */
};
/*
 * Explains the bundle, with its own or another request. Without a bundle (NULL), explains a
 * container of an unknown image with that request. 0 or -errno, the explanation's err filled.
 */
int explain_bundle(const struct explain_options *options, const char *bundle, struct arena *arena,
		   struct explanation *ret);

/* The source of an operation: a file of the host, a link's text, or a device's numbers; or "". */
const char *explain_source(const struct pipeline *pipeline, const struct operation *operation,
			   struct arena *arena);

/* The JSON object that docs/architecture.md describes, and parts of it. */
struct json_object *explain_json(const struct explanation *explanation, struct arena *arena);
struct json_object *explain_json_request(const struct gpu_request *request);
struct json_object *explain_json_selected(const struct selection *selection);
struct json_object *explain_json_operation(const struct explanation *explanation,
					   const struct operation *operation, struct arena *arena);

/* The outcome of an operation whose target lies in a volume from config.json. */
enum explain_outcome {
	OUTCOME_OWN,  /* in no volume, but in the own root or in a fresh mount such as a tmpfs */
	OUTCOME_VIEW, /* a read-only volume: done in a private view, which only this container has
		       */
	OUTCOME_COVERED, /* the volume has a file there, which is covered in this container */
	OUTCOME_NOTHING, /* the volume has no file there, and nothing is created in a volume */
};
/* *ret_volume: the destination that config.json has for the volume; NULL with OUTCOME_OWN. */
enum explain_outcome explain_outcome(const struct explanation *explanation,
				     const struct operation *operation, struct arena *arena,
				     const char **ret_volume);
/* The outcome as the end of a sentence; "" for OUTCOME_OWN. */
const char *explain_outcome_text(const struct explanation *explanation,
				 const struct operation *operation, struct arena *arena);

/* The request that replaces the bundle's, as options of the command line. NULL: no memory. */
const char *explain_options_text(const struct try_request *request, struct arena *arena);
/* Prints the explanation for people: request, rules, GPUs, and the operations by reason. */
void explain_print_tree(const struct explanation *explanation, struct arena *arena);

/* Why a path, or a library's bare name, is in the container or isn't. The exit code. */
int explain_why(const struct explain_options *options, const char *bundle, const char *path,
		bool json, struct arena *arena);

/* What differs between two bundles. The exit code. */
int explain_diff(const struct explain_options *options, const char *bundle, const char *other,
		 bool json, struct arena *arena);

/* Fills ret as far as it can be read. 0 or -errno, err filled (ERROR_BAD_BUNDLE). */
int explain_read_written(const struct pipeline *pipeline, struct arena *arena,
			 struct explain_written *ret, struct error *err);
void explain_add_written(struct tree *root, const struct explain_written *written);
struct json_object *explain_json_written(const struct explain_written *written);
