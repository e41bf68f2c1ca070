// SPDX-License-Identifier: Apache-2.0
/*
 * runtime: the parts of davit-runtime, which replaces runc in an engine's configuration. On
 * `create` and `run` it edits the bundle's config.json, then executes the low-level runtime.
 */
#pragma once

#include "davit/base.h"
#include "davit/pipeline.h"
#include "davit/plan.h"

/* ---- arguments (pure) ------------------------------------------------------------------- */

/* The part of runc's and crun's command line that davit-runtime needs. */
struct runtime_arguments {
	const char *command; /* "create"; NULL: none */
	const char *bundle;  /* of create and run; NULL or "": the working directory */
	const char *config;  /* crun's --config: the file used instead of config.json; or NULL */
	const char *name;    /* the container's, of create and run; or NULL */
	const char *log;     /* --log FILE, or NULL */
	bool debug;          /* --debug */
	bool log_json;       /* --log-format json */
	bool asks_for_help;  /* --help or --version before the command */
};
/* Never fails: the low-level runtime reports unknown options. */
void runtime_arguments_parse(int argc, char *const *argv, struct runtime_arguments *ret);
/* Whether the command creates a container. */
bool runtime_arguments_make_container(const struct runtime_arguments *arguments);

/* ---- a JSON text and its changes (pure) -------------------------------------------------- */

/*
 * Changes are made in the text. Everything else in it is preserved byte for byte, including unknown
 * fields and the notation of numbers. Paths are names joined by dots ("linux.resources.devices").
 * If a name is repeated, the last one counts, as in other JSON readers. null counts as absent.
 *
 * Changes are collected and written once, because every part of config.json may be large. Until
 * document_write, all functions read the original text.
 */
struct document_edit {
	uint32_t start, end; /* the replaced part; start == end: an insertion */
	const char *text;
};
struct document_edits {
	struct document_edit *items;
	size_t count, capacity;
};
struct document_node;
struct document {
	struct arena *arena;
	const char *text; /* one object, already checked by json_parse; ends with a NUL */
	size_t length;    /* less than 4 GiB */
	struct document_edits edits;
	struct document_node *changes; /* the paths that were searched or changed */
};
#define DOCUMENT_INIT(in_arena, of_text, of_length)                           \
	{                                                                     \
		.arena = (in_arena), .text = (of_text), .length = (of_length) \
	}
/* A part of the text; absent: length 0. */
struct document_value {
	size_t start, end;
};
/* 0, -ENOMEM, or -EINVAL with ERROR_BAD_BUNDLE if a parent in the path isn't an object. */
int document_find(struct document *document, const char *path, struct document_value *ret,
		  struct error *err);
/* The last member of that name; absent if `object` isn't an object. */
struct document_value document_member(const struct document *document, struct document_value object,
				      const char *name);
/*
 * The next item of an array after *at (begin with array.start). False at its end, and if `array`
 * isn't an array.
 */
bool document_next_item(const struct document *document, struct document_value array, size_t *at,
			struct document_value *ret);
/*
 * The characters of a string without its escapes, in the text or in *owner, which the caller
 * releases. False if it isn't a string.
 */
struct json_object;
bool document_string(const struct document *document, struct document_value string,
		     struct json_object **owner, struct slice *ret);

/* Changes return 0, -ENOMEM, or -EINVAL as document_find. Texts must outlive document_write. */

/* Appends an item to the array at `path`, which is created if absent. */
int document_append(struct document *document, const char *path, const char *item,
		    struct error *err);
/*
 * Sets or replaces the member `name` of the object at `path`, which is created if absent. `name`
 * must not need escapes.
 */
int document_set(struct document *document, const char *path, const char *name, const char *text,
		 struct error *err);
int document_replace(struct document *document, struct document_value value, const char *text,
		     struct error *err);
/* Removes the items for which `goes` returns true, with their commas, from the array at `path`. */
int document_remove_items(struct document *document, const char *path,
			  bool (*goes)(const struct document *, struct document_value),
			  struct error *err);
/* Replaces document->text with the changed text, in linear time and memory. */
int document_write(struct document *document, struct error *err);

/* ---- the changes to config.json (pure) --------------------------------------------------- */

/* A device of the container, as in linux.devices. */
struct spec_device {
	const char *path;
	unsigned major, minor;
	unsigned mode; /* permission bits of the host's node */
	uint32_t uid, gid;
	bool by_hook;              /* the hook creates the node; only its group is written */
	char type;                 /* 'b', 'p'; others: a character device */
	enum device_access access; /* of a rule */
	bool no_mode;              /* use the runtime's default */
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
/* A plan as edits of config.json. */
struct spec_edits {
	struct spec_devices devices;
	struct spec_devices rules; /* only the numbers are used */
	struct spec_mounts mounts;
	struct strings given_mounts; /* mounts of CDI specs, as JSON */
	/* variables that stop other injectors, for each vendor: "NVIDIA_VISIBLE_DEVICES=void" */
	struct strings variables;
	/* hooks, groups, network interfaces and RDT of CDI specs' devices; NULL: none */
	const struct cdi_edits *cdi;
	const char *hook; /* the createContainer hook for the rest of the plan */
	bool poststop;    /* also add it as poststop hook, which removes created files */
};
/* Makes all edits of mode `spec`. 0 or -errno, err filled; after an error the document is
 * undefined. */
int spec_edit(struct document *document, const struct spec_edits *edits, struct error *err);
/*
 * Makes the edits of mode `hook`: adds the prestart hook, which records the files that it creates,
 * and the poststop hook, which removes them. Like spec_edit, it removes davit's and NVIDIA's hooks
 * that an engine registered as prestart or createRuntime. `for_runtime`: the hook's result is the
 * one of davit-runtime.
 */
int spec_add_hook(struct document *document, const char *hook, bool for_runtime, struct error *err);

/*
 * Whether mounts are written into config.json: always, never, or (auto) for low-level runtimes
 * whose containers no hook of the host can reach (runsc, kata-runtime), recognised by their names.
 */
bool runtime_mounts_in_spec(enum runtime_mounts mounts, const char *low_level_runtime);
/*
 * Splits a plan into edits of config.json and operations for the createContainer hook. The plan was
 * made for the root as the host sees it; the sources are inspected on the host. The hook gets:
 * - all mounts, unless `mounts_in_spec` is true and the root's propagation isn't shared;
 * - operations with targets in a volume, by the image's links and config.json's mounts;
 * - operations with targets on a read-only file system.
 */
int spec_split(const struct pipeline *pipeline, const struct root *root, bool mounts_in_spec,
	       struct arena *arena, struct spec_edits *ret, struct plan *ret_rest,
	       struct error *err);
/* Whether the engine has already added that mount, for the same annotation. */
bool spec_has_mount(const struct oci_mounts *mounts, const char *destination, const char *source);
/*
 * Adds the mounts of CDI specs that the runtime must make (cdi_mount.as_given) to the edits. *ret
 * gets config.json's mounts and these, or nothing if there is no such mount. -EINVAL or -EXDEV with
 * ERROR_BAD_REQUEST for a mount on a place that isn't the container's own.
 */
int spec_take_given_mounts(const struct pipeline *pipeline, const struct root *root,
			   struct arena *arena, struct spec_edits *edits, struct oci_mounts *ret,
			   struct error *err);
/*
 * Lists the paths that don't exist yet in the container's own root, so that the runtime will create
 * them as targets of mounts. Directories come before their content, and paths contain no links. 0
 * or -errno.
 */
int spec_find_stubs(struct image_volumes *volumes, const struct spec_mounts *mounts,
		    struct arena *arena, struct strings *ret);

/* ---- files ------------------------------------------------------------------------------ */

/*
 * Directories in which low-level runtimes are searched after those of the caller's PATH. The last
 * one is that of CRI-O's own packages, which CRI-O finds by its configuration only.
 */
#define RUNTIME_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec/crio"
/*
 * Finds the first candidate that is an executable file and not the program behind `self` (an open
 * descriptor). Candidates are absolute paths, or names. A name is searched in the absolute
 * directories of `path`, the caller's PATH (NULL: none), then in RUNTIME_PATH: the engine finds its
 * own runtime by this PATH, and k3s, RKE2, k0s and snaps have it in a directory of their own. A
 * file in PATH that users other than root and the caller can exchange is skipped; *ret is then a
 * path without links.
 *
 * 0; -ENOENT: none; -EPERM with ERROR_BAD_CONFIG: the candidate is an absolute path or in
 * RUNTIME_PATH, and a user other than root or the caller owns or can write the file or its
 * directory. In that case no later candidate is tried. Otherwise another runtime would run
 * unnoticed.
 */
int runtime_find(const struct strings *candidates, const char *path, int self, struct arena *arena,
		 const char **ret, struct error *err);

/*
 * Replaces the file `path` atomically, through a temporary file in its directory. Its mode and
 * owner are those of `like` (a descriptor), or 0600 and the caller's if `like` is -1.
 */
int file_replace(const char *path, int like, const char *text, size_t length, struct error *err);

/*
 * Checks that the host and the low-level runtime support the parts of CDI specs that a runtime
 * would otherwise silently ignore: RDT (its file system is mounted, and the runtime knows the newer
 * members) and network interfaces. Runs `RUNTIME features` if newer RDT members or network
 * interfaces are requested. 0 or -errno, err filled.
 */
int runtime_check_features(const char *runtime, const struct cdi_edits *edits, struct arena *arena,
			   struct error *err);
/*
 * Whether the value at the path, such as "linux.netDevices.enabled", is true in the output of
 * `RUNTIME features` (pure).
 */
bool runtime_features_have(const char *text, size_t length, const char *path);

/* Appends the error to the runtime's log in runc's format. Failures are ignored. */
void runtime_log_error(const char *file, bool json, const char *line);
