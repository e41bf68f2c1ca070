// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "toml_parser.h"

void toml_write_string(struct text *text, const char *string)
{
	static const char characters[] = "\b\t\n\f\r\"\\", escapes[] = "btnfr\"\\";

	text_add_string(text, "\"");
	for (; *string; string++) {
		const char *at = strchr(characters, *string);
		char escape[8];

		if (at)
			(void)snprintf(escape, sizeof(escape), "\\%c", escapes[at - characters]);
		else if ((unsigned char)*string < 0x20 || *string == 0x7f)
			(void)snprintf(escape, sizeof(escape), "\\u%04X", (unsigned)*string);
		else
			(void)snprintf(escape, sizeof(escape), "%c", *string);
		text_add_string(text, escape);
	}
	text_add_string(text, "\"");
}

/* containerd 1.x understands no escapes in keys: 'literal' where it can be. */
static void write_key(struct text *text, const char *key)
{
	bool odd = false;

	for (const char *at = key; *at; at++)
		odd |= *at == '"' || *at == '\\' || (unsigned char)*at < 0x20 || *at == 0x7f;
	if (key[0] && key[strspn(key, TOML_BARE)] == '\0') {
		text_add_string(text, key);
	} else if (odd && !strchr(key, '\'') && !strpbrk(key, "\n\r\b\f")) {
		text_add_string(text, "'");
		text_add_string(text, key);
		text_add_string(text, "'");
	} else {
		toml_write_string(text, key);
	}
}

void toml_write_header(struct text *text, const struct strings *path)
{
	text_add_string(text, "[");
	for (size_t i = 0; i < path->count; i++) {
		if (i > 0)
			text_add_string(text, ".");
		write_key(text, path->items[i]);
	}
	text_add_string(text, "]\n");
}

void toml_write_value(struct text *text, const struct toml_node *node)
{
	const char *open = node->type == TOML_ARRAY ? "[" : "{ ";
	const char *close = node->type == TOML_ARRAY ? "]" : " }";

	if (node->type == TOML_STRING) {
		toml_write_string(text, node->string);
		return;
	}
	if (node->type != TOML_ARRAY && node->type != TOML_TABLE) {
		text_add(text, node->text.data, node->text.length);
		return;
	}
	text_add_string(text, open);
	for (const struct toml_node *of = node->first; of; of = of->next) {
		if (of != node->first)
			text_add_string(text, ", ");
		if (of->key) {
			write_key(text, of->key);
			text_add_string(text, " = ");
		}
		toml_write_value(text, of);
	}
	text_add_string(text, close);
}

static bool has_pairs(const struct toml_node *table)
{
	for (const struct toml_node *node = table->first; node; node = node->next)
		if (node->type != TOML_TABLE)
			return true;
	return false;
}

void toml_write(struct text *text, const struct strings *path, const struct toml_node *table,
		struct arena *arena)
{
	struct strings below = {0};

	/* A table of tables alone needs no header of its own. */
	if (path->count > 0 && (has_pairs(table) || !table->first)) {
		text_add_string(text, "\n");
		toml_write_header(text, path);
	}
	for (const struct toml_node *node = table->first; node; node = node->next) {
		if (node->type == TOML_TABLE)
			continue;
		text_add_string(text, path->count > 0 ? "  " : "");
		write_key(text, node->key);
		text_add_string(text, " = ");
		toml_write_value(text, node);
		text_add_string(text, "\n");
	}
	for (size_t i = 0; i < path->count; i++)
		text->failed |= strings_add(arena, &below, path->items[i]) < 0;
	for (const struct toml_node *node = table->first; node && !text->failed;
	     node = node->next) {
		if (node->type != TOML_TABLE)
			continue;
		text->failed |= strings_add(arena, &below, node->key) < 0;
		toml_write(text, &below, node, arena);
		below.count--;
	}
}

const char *toml_text(const struct toml_node *top, struct arena *arena)
{
	struct text text = {.arena = arena};
	const struct strings path = {0};

	text_add_string(&text, "");
	toml_write(&text, &path, top, arena);
	return text.failed ? NULL : text.data;
}
