// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "text.h"
#include "toml.h"

/* The CRI plugin's runtime part, by the version of the configuration's format. */
#define PLUGIN_2 "io.containerd.grpc.v1.cri"
#define PLUGIN_3 "io.containerd.cri.v1.runtime"

static const char fix_version[] =
	"write `version = 2` at its top, or let `containerd config migrate` do it";

static const char *const key_version[] = {"version", NULL};
static const char *const key_imports[] = {"imports", NULL};
static const char *const key_disabled[] = {"disabled_plugins", NULL};

static const struct toml_line *find_pair(const struct toml *toml, const char *const *keys)
{
	for (size_t i = 0; i < toml->count; i++) {
		const struct toml_line *line = &toml->items[i];

		if (line->kind == TOML_PAIR && line->table->count == 0 &&
		    toml_path_is(&line->keys, keys))
			return line;
	}
	return NULL;
}

static bool is_blank(const struct toml *toml)
{
	for (size_t i = 0; i < toml->count; i++)
		if (toml->items[i].kind != TOML_BLANK)
			return false;
	return true;
}

static struct slice value_of(const struct toml_line *line)
{
	return (struct slice){line->text + line->value, line->value_length};
}

static int read_version(const struct toml *toml, const char *path, unsigned *ret, struct error *err)
{
	const struct toml_line *line = find_pair(toml, key_version);

	*ret = 2;
	if (line && slice_equal(value_of(line), "3"))
		*ret = 3;
	if (is_blank(toml) || *ret == 3 || (line && slice_equal(value_of(line), "2")))
		return 0;
	return error_set(err, ERROR_BAD_CONFIG, EINVAL, fix_version,
			 "edit %s: its format is %s, and only 2 and 3 are known", path,
			 line ? "another version" : "version 1 (no `version = ...`)");
}

/* ---- imports ---------------------------------------------------------------------------- */

/* "/etc/containerd/conf.d/davit.toml" -> "/etc/containerd/conf.d/" "*.toml", as one pattern. */
static const char *pattern_for(const char *drop_in, struct arena *arena)
{
	const char *slash = strrchr(drop_in, '/');

	return arena_printf(arena, "\"%.*s*.toml\"", slash ? (int)(slash + 1 - drop_in) : 0,
			    drop_in);
}

static char *cut(const char *text, const char *start, const char *end, const char *between,
		 struct arena *arena)
{
	if (!between)
		return NULL;
	return arena_printf(arena, "%.*s%s%s", (int)(start - text), text, between, end);
}

static bool has_import(struct slice value, const char *drop_in, const char *pattern,
		       struct arena *arena)
{
	const char *list = arena_strndup(arena, value.data, value.length);
	const char *exact = arena_printf(arena, "\"%s\"", drop_in);
	const char *literal = arena_printf(arena, "'%.*s'", (int)strlen(pattern) - 2, pattern + 1);

	return list && exact && literal &&
	       (strstr(list, pattern) || strstr(list, exact) || strstr(list, literal));
}

/* Behind the last thing in a list that is neither blank nor comment; its comma is a thing, too. */
static const char *find_end(const char *list, const char *close)
{
	const char *last = list + 1;

	for (const char *at = list + 1; at < close; at++) {
		if (*at == '#') {
			at += strcspn(at, "\n");
		} else if (*at == '"' || *at == '\'') {
			for (char quote = *at++; at < close && *at != quote; at++)
				at += quote == '"' && *at == '\\';
			last = at + 1;
		} else if (!strchr(" \t\r\n", *at)) {
			last = at + 1;
		}
	}
	return last;
}

static char *add_import(const char *text, const struct toml_line *line, const char *pattern,
			struct arena *arena)
{
	const char *value = line->text + line->value, *close = value + line->value_length - 1;
	const char *last = find_end(value, close);
	const char *before = last == value + 1 ? "" : last[-1] == ',' ? " " : ", ";
	const char *added = arena_printf(arena, "%s%s", before, pattern);

	return added ? cut(text, last, last, added, arena) : NULL;
}

int configure_containerd(const char *text, const char *path, const char *drop_in,
			 struct arena *arena, char **ret, struct error *err)
{
	const char *pattern = pattern_for(drop_in, arena);
	const struct toml_line *imports, *version;
	struct toml toml;
	unsigned number = 0;
	int r = toml_parse(text ? text : "", path, arena, &toml, err);

	if (r == 0)
		r = read_version(&toml, path, &number, err);
	if (r < 0)
		return r;
	imports = find_pair(&toml, key_imports);
	version = find_pair(&toml, key_version);
	if (!pattern)
		return error_memory(err);
	if (!version)
		*ret = arena_printf(arena, "version = 2\nimports = [%s]\n%s", pattern,
				    text ? text : "");
	else if (!imports)
		*ret = cut(text, version->text + version->length, version->text + version->length,
			   arena_printf(arena, "%simports = [%s]\n",
					version->text[version->length - 1] == '\n' ? "" : "\n",
					pattern),
			   arena);
	else if (value_of(imports).data[0] != '[')
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, "make `imports` a list",
				 "edit %s: `imports` is no list", path);
	else if (has_import(value_of(imports), drop_in, pattern, arena))
		*ret = arena_strdup(arena, text);
	else
		*ret = add_import(text, imports, pattern, arena);
	return *ret ? 0 : error_memory(err);
}

/* The pattern goes only when nothing else would: others may have files in that directory. */
int configure_containerd_remove(const char *text, const char *path, const char *drop_in,
				struct arena *arena, char **ret, struct error *err)
{
	const char *pattern = pattern_for(drop_in, arena), *alone, *at;
	const struct toml_line *imports;
	struct toml toml;
	char *made = NULL;
	int r = toml_parse(text, path, arena, &toml, err);

	if (r == 0)
		r = configure_containerd(NULL, path, drop_in, arena, &made, err);
	if (r < 0)
		return r;
	alone = arena_printf(arena, "[%s]", pattern);
	if (!pattern || !alone)
		return error_memory(err);
	imports = find_pair(&toml, key_imports);
	*ret = NULL;
	if (string_equal(text, made))
		return 0;
	if (imports && slice_equal(value_of(imports), alone)) {
		*ret = cut(text, imports->text, imports->text + imports->length, "", arena);
	} else if (imports && (at = strstr(imports->text + imports->value, pattern)) &&
		   at < imports->text + imports->value + imports->value_length) {
		const char *start = at, *end = at + strlen(pattern);

		if (string_starts(end, ", "))
			end += 2;
		else if (start[-1] == ' ' && (start[-2] == ',' || *end == ']'))
			start -= start[-2] == ',' ? 2 : 1;
		*ret = cut(text, start, end, "", arena);
	} else {
		*ret = arena_strdup(arena, text);
	}
	return *ret ? 0 : error_memory(err);
}

/* ---- the drop-in ------------------------------------------------------------------------ */

struct drop_in {
	const struct configure *configure;
	const char *plugin;
	const struct toml *toml;
	const char *base; /* the runtime whose options the new one takes */
	struct arena *arena;
	struct text text;
};

static void add(struct drop_in *d, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct drop_in *d, const char *format, ...)
{
	char line[4096];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	text_add_string(&d->text, line);
}

/* A line of config.toml; the last one may lack its newline. */
static void add_line(struct drop_in *d, const struct toml_line *line)
{
	text_add(&d->text, line->text, line->length);
	if (line->text[line->length - 1] != '\n')
		text_add_string(&d->text, "\n");
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool is_own_table(const struct drop_in *d, const struct strings *table)
{
	return toml_path_starts(table, NAMES("plugins", d->plugin, "containerd", "runtimes",
					     d->configure->runtime_name));
}

/* Keys that are set anew, in their tables. */
static bool is_replaced(const struct drop_in *d, const struct toml_line *line)
{
	return (d->configure->set_default &&
		toml_path_is(line->table, NAMES("plugins", d->plugin, "containerd")) &&
		toml_path_is(&line->keys, NAMES("default_runtime_name"))) ||
	       (d->configure->cdi && toml_path_is(line->table, NAMES("plugins", d->plugin)) &&
		toml_path_is(&line->keys, NAMES("enable_cdi")));
}

/* What a table gets behind its header. */
static void add_settings(struct drop_in *d, const struct strings *table)
{
	if (d->configure->cdi && toml_path_is(table, NAMES("plugins", d->plugin)))
		add(d, "enable_cdi = true\n");
	if (d->configure->set_default &&
	    toml_path_is(table, NAMES("plugins", d->plugin, "containerd")))
		add(d, "default_runtime_name = \"%s\"\n", d->configure->runtime_name);
}

/* The plugin's tables as config.toml has them. */
static void copy_section(struct drop_in *d)
{
	bool skipping = false;

	for (size_t i = 0; i < d->toml->count; i++) {
		const struct toml_line *line = &d->toml->items[i];

		if (!toml_path_starts(line->table, NAMES("plugins", d->plugin)) ||
		    is_own_table(d, line->table) || line->kind == TOML_BLANK)
			continue;
		if (line->kind != TOML_CONTINUED)
			skipping = line->kind == TOML_PAIR && is_replaced(d, line);
		if (skipping)
			continue;
		add_line(d, line);
		if (line->kind == TOML_TABLE)
			add_settings(d, line->table);
	}
}

static bool has_table(const struct toml *toml, const char *const *names)
{
	for (size_t i = 0; i < toml->count; i++)
		if (toml->items[i].kind == TOML_TABLE && toml_path_is(toml->items[i].table, names))
			return true;
	return false;
}

/* The lines of a table of the base runtime but for some keys. */
static void copy_base(struct drop_in *d, const char *const *table, const char *but)
{
	bool skipping = false;

	for (size_t i = 0; d->base && i < d->toml->count; i++) {
		const struct toml_line *line = &d->toml->items[i];

		if ((line->kind != TOML_PAIR && line->kind != TOML_CONTINUED) ||
		    !toml_path_is(line->table, table))
			continue;
		if (line->kind == TOML_PAIR)
			skipping = toml_path_is(&line->keys, NAMES(but)) ||
				   string_equal(line->keys.items[0], "options");
		if (!skipping)
			add_line(d, line);
	}
}

static void add_runtime(struct drop_in *d)
{
	const struct configure *configure = d->configure;

	add(d, "\n[plugins.\"%s\".containerd.runtimes.\"%s\"]\n", d->plugin,
	    configure->runtime_name);
	add(d, "runtime_type = \"io.containerd.runc.v2\"\n");
	copy_base(d, NAMES("plugins", d->plugin, "containerd", "runtimes", d->base),
		  "runtime_type");
	add(d, "\n[plugins.\"%s\".containerd.runtimes.\"%s\".options]\n", d->plugin,
	    configure->runtime_name);
	add(d, "BinaryName = \"%s\"\n", configure->runtime_path);
	copy_base(d, NAMES("plugins", d->plugin, "containerd", "runtimes", d->base, "options"),
		  "BinaryName");
}

/* Forms that can't be copied table by table. */
static int check_forms(const struct drop_in *d, const char *path, struct error *err)
{
	for (size_t i = 0; i < d->toml->count; i++) {
		const struct toml_line *line = &d->toml->items[i];
		size_t depth = line->table->count;

		if (line->kind == TOML_PAIR &&
		    ((depth == 1 && string_equal(line->table->items[0], "plugins") &&
		      string_equal(line->keys.items[0], d->plugin)) ||
		     (depth == 0 && string_equal(line->keys.items[0], "plugins"))))
			return error_set(err, ERROR_BAD_CONFIG, EINVAL,
					 "write that plugin's settings under [plugins.\"...\"] "
					 "tables",
					 "edit %s: \"%.60s\" is in a form that can't be merged",
					 path, line->keys.items[0]);
	}
	return 0;
}

/* The default runtime's settings are the ones to take over; runc's, when none is named. */
static const char *find_base(const struct drop_in *d)
{
	for (size_t i = 0; i < d->toml->count; i++) {
		const struct toml_line *line = &d->toml->items[i];
		struct slice value = value_of(line);

		if (line->kind == TOML_PAIR && value.length > 2 &&
		    toml_path_is(line->table, NAMES("plugins", d->plugin, "containerd")) &&
		    toml_path_is(&line->keys, NAMES("default_runtime_name"))) {
			const char *name =
				arena_strndup(d->arena, value.data + 1, value.length - 2);

			if (name && strcmp(name, d->configure->runtime_name) != 0)
				return name;
		}
	}
	return "runc";
}

int configure_containerd_drop_in(const char *text, const char *path,
				 const struct configure *configure, struct arena *arena, char **ret,
				 const char **ret_note, struct error *err)
{
	struct drop_in d = {.configure = configure, .arena = arena, .text = {.arena = arena}};
	const struct toml_line *disabled;
	struct toml toml;
	unsigned version = 0;
	int r = toml_parse(text ? text : "", path, arena, &toml, err);

	if (r == 0)
		r = read_version(&toml, path, &version, err);
	if (r < 0)
		return r;
	d.toml = &toml;
	d.plugin = version == 3 ? PLUGIN_3 : PLUGIN_2;
	r = check_forms(&d, path, err);
	if (r < 0)
		return r;
	d.base = find_base(&d);
	add(&d,
	    "# Made by `davit configure containerd`. Before containerd 2.1 a "
	    "plugin's settings count in one\n# file alone, so those of %s are "
	    "repeated here: after changing them, run it again.\nversion = "
	    "%u\n\n",
	    path, version);
	copy_section(&d);
	if (configure->cdi && !has_table(&toml, NAMES("plugins", d.plugin)))
		add(&d, "\n[plugins.\"%s\"]\nenable_cdi = true\n", d.plugin);
	if (configure->set_default && !has_table(&toml, NAMES("plugins", d.plugin, "containerd")))
		add(&d, "\n[plugins.\"%s\".containerd]\ndefault_runtime_name = \"%s\"\n", d.plugin,
		    configure->runtime_name);
	add_runtime(&d);
	*ret = d.text.failed ? NULL : d.text.data;
	*ret_note = NULL;
	disabled = find_pair(&toml, key_disabled);
	if (disabled && memmem(value_of(disabled).data, value_of(disabled).length, "cri", 3))
		*ret_note = "disabled_plugins names the CRI plugin: Kubernetes needs it, `ctr` "
			    "doesn't";
	return *ret ? 0 : error_memory(err);
}
