// SPDX-License-Identifier: Apache-2.0
/*
 * runtime: what davit-runtime is made of. It stands in the place of runc: on `create` and `run` it
 * edits the bundle's config.json and then becomes the low-level runtime.
 */
#pragma once

#include "davit/base.h"
#include "davit/pipeline.h"
#include "davit/plan.h"

/* ---- arguments (pure) ------------------------------------------------------------------- */

/* What runc's and crun's command line says, as far as it matters here. */
struct runtime_arguments {
	const char *command; /* "create"; NULL: none is given */
	const char *bundle;  /* of create and run; NULL or "": the working directory */
	const char *config;  /* crun's --config: a file that it takes for config.json; or NULL */
	const char *name;    /* the container's, of create and run; or NULL */
	const char *log;     /* --log FILE, or NULL */
	bool debug;          /* --debug */
	bool log_json;       /* --log-format json */
	bool asks_for_help;  /* --help or --version stand before the command */
};
/* Never fails: what is unknown is left to the low-level runtime to complain of. */
void runtime_arguments_parse(int argc, char *const *argv, struct runtime_arguments *ret);
/* Whether the command makes a container. */
bool runtime_arguments_make_container(const struct runtime_arguments *arguments);

/* ---- a JSON text and its changes (pure) -------------------------------------------------- */

/*
 * Changes are made in the text: everything else in it stays, byte for byte, whatever its fields
 * mean and however its numbers are written. Paths are names joined by dots
 * ("linux.resources.devices"); of a repeated name the last one counts, as readers of JSON have it;
 * null counts as absent.
 *
 * Changes are collected, then written once: config.json comes from an image and its engine, and may
 * be large in any of its parts. Until document_write all functions see the text as it was.
 */
struct document_edit {
	uint32_t start, end; /* what is replaced; start == end: inserted there */
	const char *text;
};
struct document_edits {
	struct document_edit *items;
	size_t count, capacity;
};
struct document_node;
struct document {
	struct arena *arena;
	const char *text; /* one object, checked by json_parse before; ends with a NUL */
	size_t length;    /* less than 4 GiB */
	struct document_edits edits;
	struct document_node *changes; /* what was looked for or changed, by paths */
};
#define DOCUMENT_INIT(in_arena, of_text, of_length)                           \
	{                                                                     \
		.arena = (in_arena), .text = (of_text), .length = (of_length) \
	}
/* A part of the text; absent: length 0. */
struct document_value {
	size_t start, end;
};
/* 0, -ENOMEM, or -EINVAL with ERROR_BAD_BUNDLE when something on the way is no object. */
int document_find(struct document *document, const char *path, struct document_value *ret,
		  struct error *err);
/* The last member of that name; absent, too, when `object` is something else. */
struct document_value document_member(const struct document *document, struct document_value object,
				      const char *name);
/*
 * The next item of an array behind *at (start with array.start). False at its end. The items of
 * what is no array: none.
 */
bool document_next_item(const struct document *document, struct document_value array, size_t *at,
			struct document_value *ret);
/*
 * The characters of a string without its escapes, in the text or in *owner, which the caller puts.
 * False: it is something else.
 */
struct json_object;
bool document_string(const struct document *document, struct document_value string,
		     struct json_object **owner, struct slice *ret);

/* The changes: 0, -ENOMEM, or -EINVAL as document_find. Texts must outlive document_write. */

/* Puts an item at the end of the array at `path`, which is made when absent. */
int document_append(struct document *document, const char *path, const char *item,
		    struct error *err);
/*
 * Makes `text` the member `name` (without what JSON escapes) of the object at `path`, which is made
 * when absent: in the place of what it was.
 */
int document_set(struct document *document, const char *path, const char *name, const char *text,
		 struct error *err);
int document_replace(struct document *document, struct document_value value, const char *text,
		     struct error *err);
/* Takes the items for which `goes` says so, with their commas, out of the array at `path`. */
int document_remove_items(struct document *document, const char *path,
			  bool (*goes)(const struct document *, struct document_value),
			  struct error *err);
/* The text with all changes becomes document->text. Takes time and memory by its length. */
int document_write(struct document *document, struct error *err);

/* ---- the changes to config.json (pure) --------------------------------------------------- */

/* A device of the container, as linux.devices has it. */
struct spec_device {
	const char *path;
	unsigned major, minor;
	unsigned mode; /* permission bits of the host's node */
	uint32_t uid, gid;
	bool by_hook; /* its place isn't the runtime's to make it in: only its group counts here */
	char type;    /* 'b', 'p'; else it is a character device */
	enum device_access access; /* of a rule */
	bool no_mode;              /* the runtime's own default */
};
struct spec_devices {
	struct spec_device *items;
	size_t count, capacity;
};
struct spec_mount {
	const char *source, *destination;
	unsigned flags; /* enum mount_flags */
};
struct spec_mounts {
	struct spec_mount *items;
	size_t count, capacity;
};
/* A plan, in the words of config.json. */
struct spec_edits {
	struct spec_devices devices;
	struct spec_devices rules; /* only the numbers count */
	struct spec_mounts mounts;
	struct strings given_mounts; /* of CDI specs, as config.json has them */
	/* "NVIDIA_VISIBLE_DEVICES=void": what other injectors are told by, of each vendor given */
	struct strings variables;
	/* hooks, groups, network interfaces and RDT of CDI specs' devices; NULL: none */
	const struct cdi_edits *cdi;
	const char *hook; /* the program that does the rest as createContainer hook */
	bool poststop;    /* as poststop hook, too: it removes what was made for the container */
};
/* The whole of mode `spec`. 0 or -errno, err filled; the document is undefined then. */
int spec_edit(struct document *document, const struct spec_edits *edits, struct error *err);
/*
 * Mode `hook`: the prestart hook, which records what it makes, and the poststop hook, which removes
 * it. Injecting hooks that an engine registered as prestart or createRuntime, ours or NVIDIA's by
 * name, are taken out, as by spec_edit. `for_runtime`: the hook gives what davit-runtime would.
 */
int spec_add_hook(struct document *document, const char *hook, bool for_runtime, struct error *err);

/*
 * Whether mounts are written into config.json: always or never, or, left to us, for low-level
 * runtimes whose containers no hook of the host reaches (runsc, kata-runtime), by their names.
 */
bool runtime_mounts_in_spec(enum runtime_mounts mounts, const char *low_level_runtime);
/*
 * Divides a plan, made for a root that is seen as the host sees it, into what config.json can say
 * and the rest, which the createContainer hook is to do: all mounts, unless `mounts_in_spec`. To
 * the hook goes, too, what lies in a volume, by the image's links and config.json's mounts, or on a
 * read-only file system; and all mounts where the root's propagation is shared. Looks at the
 * sources on the host.
 */
int spec_split(const struct pipeline *pipeline, const struct root *root, bool mounts_in_spec,
	       struct arena *arena, struct spec_edits *ret, struct plan *ret_rest,
	       struct error *err);
/* Whether the engine has made that mount itself, by the same annotation. */
bool spec_has_mount(const struct oci_mounts *mounts, const char *destination, const char *source);
/*
 * Those mounts of CDI specs that the runtime has to make (cdi_mount.as_given), as edits; *ret:
 * config.json's mounts and these, or none when there is no such mount. -EINVAL or -EXDEV with
 * ERROR_BAD_REQUEST for one whose place isn't the container's own.
 */
int spec_take_given_mounts(const struct pipeline *pipeline, const struct root *root,
			   struct arena *arena, struct spec_edits *edits, struct oci_mounts *ret,
			   struct error *err);
/*
 * Where nothing is in the container's own root as yet: what the runtime makes there to mount on,
 * directories before what is in them; their paths without links. 0 or -errno.
 */
int spec_find_stubs(struct image_volumes *volumes, const struct spec_mounts *mounts,
		    struct arena *arena, struct strings *ret);

/* ---- files ------------------------------------------------------------------------------ */

#define RUNTIME_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/*
 * The first of the candidates that is an executable file and not the program behind `self` (an open
 * descriptor): absolute paths, and names looked up in `path`. 0; -ENOENT: none; -EPERM with
 * ERROR_BAD_CONFIG: somebody else than root, or than the caller, owns or can write that file or its
 * directory. No later candidate is tried then: that another runtime than the configured one ran
 * would go unnoticed, and so would the file.
 */
int runtime_find(const struct strings *candidates, const char *path, int self, struct arena *arena,
		 const char **ret, struct error *err);

/*
 * Puts a file in the place of `path`, by a temporary one beside it: who opens it sees the old text
 * or the new one. Mode and owner are those of `like` (a descriptor), or 0600 and ours when -1.
 */
int file_replace(const char *path, int like, const char *text, size_t length, struct error *err);

/*
 * Whether host and low-level runtime can make what specs ask for and what a runtime that can't
 * would pass over: RDT (its file system has to be mounted, its newer members be known) and network
 * interfaces. Runs `RUNTIME features` when one of the last two is asked for. 0 or -errno, err
 * filled.
 */
int runtime_check_features(const char *runtime, const struct cdi_edits *edits, struct arena *arena,
			   struct error *err);
/*
 * The same of its output (pure): whether the object at those names, "linux.netDevices.enabled", is
 * true.
 */
bool runtime_features_have(const char *text, size_t length, const char *path);

/* Appends the error to the runtime's log as runc would write it. Does what it can. */
void runtime_log_error(const char *file, bool json, const char *line);
