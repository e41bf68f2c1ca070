// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "davit/json_text.h"

/* What engines write has more for each value: there the list needn't grow. */
#define CHARACTERS_PER_VALUE 12

struct parser {
	struct json_text *json;
	struct arena *arena;
	size_t at, length;
	const char *problem;
};

static const char ends_early[] = "the text ends in the middle of a value";

static int fail(struct parser *p, const char *problem)
{
	p->problem = problem;
	return -EINVAL;
}

/* The current character, or -1 at the end. */
static int peek(const struct parser *p)
{
	return p->at < p->length ? (unsigned char)p->json->text[p->at] : -1;
}

static int fail_here(struct parser *p)
{
	switch (peek(p)) {
	case -1:
		return fail(p, ends_early);
	case '\0':
		return fail(p, "a NUL character");
	default:
		return fail(p, "an unexpected character");
	}
}

static void skip_blanks(struct parser *p)
{
	const char *text = p->json->text;
	size_t at = p->at;

	while (at < p->length &&
	       (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
		at++;
	p->at = at;
}

static bool take(struct parser *p, char c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind the escape at hand. */
static int skip_escape(struct parser *p)
{
	const char *text = p->json->text + p->at + 1;
	size_t left = p->length - p->at - 1;

	if (left == 0)
		return fail(p, ends_early);
	if (*text != 'u') {
		if (!*text || !strchr("\"\\/bfnrt", *text))
			return fail(p, *text ? "an unknown escape" : "a NUL character");
		p->at += 2;
		return 0;
	}
	for (size_t i = 1; i <= 4; i++) {
		if (i == left)
			return fail(p, ends_early);
		if (!is_hex(text[i]))
			return fail(p, "an unknown escape");
	}
	if (memcmp(text, "u0000", 5) == 0)
		return fail(p, "a NUL character");
	p->at += 6;
	return 0;
}

/* Whether one of eight characters is a quote, a backslash or a control character. */
static bool any_special(const char *text)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t word, quotes, slashes;

	memcpy(&word, text, sizeof(word));
	quotes = word ^ ones * '"';
	slashes = word ^ ones * '\\';
	/* A byte less than n (up to 128) lends from its highest bit, which it doesn't have. */
	return (((word - ones * ' ') & ~word) | ((quotes - ones) & ~quotes) |
		((slashes - ones) & ~slashes)) &
	       highs;
}

static bool is_special(unsigned char c)
{
	return c == '"' || c == '\\' || c < ' ';
}

/* Behind what is just characters. Most of config.json is read here, hence words at a time. */
static void skip_plain(struct parser *p)
{
	const char *text = p->json->text;
	size_t at = p->at;

	while (p->length - at >= sizeof(uint64_t) && !any_special(text + at))
		at += sizeof(uint64_t);
	while (at < p->length && !is_special((unsigned char)text[at]))
		at++;
	p->at = at;
}

static int parse_string(struct parser *p, struct json_value *string)
{
	string->kind = JSON_STRING;
	string->start = (uint32_t)++p->at;
	for (;;) {
		skip_plain(p);
		if (peek(p) == '"')
			break;
		if (peek(p) == '\\') {
			string->escaped = true;
			if (skip_escape(p) < 0)
				return -EINVAL;
		} else {
			return peek(p) > 0 ? fail(p, "a control character") : fail_here(p);
		}
	}
	string->length = (uint32_t)(p->at - string->start);
	p->at++;
	return 0;
}

static int skip_digits(struct parser *p)
{
	int c = peek(p);

	if (c < '0' || c > '9')
		return fail_here(p);
	while (c >= '0' && c <= '9') {
		p->at++;
		c = peek(p);
	}
	return 0;
}

static int parse_number_value(struct parser *p, struct json_value *number)
{
	int r = 0;

	number->kind = JSON_INTEGER;
	(void)take(p, '-');
	if (!take(p, '0'))
		r = skip_digits(p);
	if (r == 0 && take(p, '.')) {
		number->kind = JSON_NUMBER;
		r = skip_digits(p);
	}
	if (r == 0 && (take(p, 'e') || take(p, 'E'))) {
		number->kind = JSON_NUMBER;
		if (!take(p, '-'))
			(void)take(p, '+');
		r = skip_digits(p);
	}
	number->length = (uint32_t)(p->at - number->start);
	return r;
}

static int parse_word(struct parser *p, struct json_value *value)
{
	static const struct {
		struct slice word;
		enum json_kind kind;
	} words[] = {
		{{"null", 4}, JSON_NULL},
		{{"true", 4}, JSON_BOOLEAN},
		{{"false", 5}, JSON_BOOLEAN},
	};
	size_t left = p->length - p->at;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct slice *word = &words[i].word;
		size_t common = left < word->length ? left : word->length;

		if (memcmp(p->json->text + p->at, word->data, common) != 0)
			continue;
		p->at += common;
		value->kind = (uint8_t)words[i].kind;
		value->length = (uint32_t)common;
		return common == word->length ? 0 : fail(p, ends_early);
	}
	return fail_here(p);
}

/*
 * Makes room for one more value. The need of the rest of the text is estimated from the text so
 * far, because the arena keeps outgrown arrays.
 */
static struct json_value *push_value(struct parser *p)
{
	struct json_text *json = p->json;

	if (json->count == json->capacity) {
		size_t rest = (size_t)((double)json->count * (double)(p->length - p->at) /
				       (double)(p->at + 1));
		size_t least = json->count / 4 + 64;

		if (ARENA_RESERVE(p->arena, json,
				  json->count + (rest + rest / 16 > least ? rest + rest / 16
									  : least)) < 0)
			return NULL;
	}
	return ARENA_PUSH(p->arena, json);
}

static int parse_value(struct parser *p, size_t depth);

static int parse_member_name(struct parser *p)
{
	struct json_value *name;

	skip_blanks(p);
	if (peek(p) != '"')
		return fail_here(p);
	name = push_value(p);
	if (!name)
		return -ENOMEM;
	name->size = 1;
	if (parse_string(p, name) < 0)
		return -EINVAL;
	skip_blanks(p);
	return take(p, ':') ? 0 : fail_here(p);
}

/* Behind its closing bracket. */
static int parse_container(struct parser *p, bool object, size_t depth)
{
	const char end = object ? '}' : ']';
	int r = 0;

	if (depth == JSON_DEPTH_MAX)
		return fail(p, "nesting too deep");
	p->at++;
	skip_blanks(p);
	if (take(p, end))
		return 0;
	do {
		if (object)
			r = parse_member_name(p);
		if (r == 0)
			r = parse_value(p, depth + 1);
		skip_blanks(p);
	} while (r == 0 && take(p, ','));
	if (r < 0)
		return r;
	return take(p, end) ? 0 : fail_here(p);
}

static int parse_value(struct parser *p, size_t depth)
{
	size_t index = p->json->count;
	struct json_value *value = push_value(p);
	int r, c;

	if (!value)
		return -ENOMEM;
	skip_blanks(p);
	c = peek(p);
	value->start = (uint32_t)p->at;
	if (c == '{' || c == '[') {
		value->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
		r = parse_container(p, c == '{', depth);
		value = &p->json->items[index]; /* the list may have moved */
		value->length = (uint32_t)(p->at - value->start);
	} else if (c == '"') {
		r = parse_string(p, value);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		r = parse_number_value(p, value);
	} else {
		r = parse_word(p, value);
	}
	value->size = (uint32_t)(p->json->count - index);
	return r;
}

int json_error_at(const char *text, size_t offset, enum error_code code, const char *what,
		  const char *problem, struct error *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return error_set(err, code, EINVAL, NULL, "read %s: line %zu, column %zu: %s", what, line,
			 column, problem);
}

int json_text_parse(const char *text, size_t length, enum error_code code, const char *what,
		    struct arena *arena, struct json_text *ret, struct error *err)
{
	struct parser p = {.json = ret, .arena = arena, .length = length};
	int r;

	*ret = (struct json_text){.text = text};
	if (length == 0)
		return error_set(err, code, EINVAL, NULL, "read %s: it is empty", what);
	if (length > UINT32_MAX)
		return error_set(err, code, EINVAL, NULL, "read %s: it is too large", what);
	r = ARENA_RESERVE(arena, ret, length / CHARACTERS_PER_VALUE + 1);
	if (r == 0)
		r = parse_value(&p, 0);
	if (r == 0) {
		skip_blanks(&p);
		if (p.at < length)
			r = fail_here(&p);
	}
	if (r == -ENOMEM)
		return error_memory(err);
	if (r < 0)
		return json_error_at(text, p.at, code, what, p.problem, err);
	if (ret->items[0].kind != JSON_OBJECT)
		return error_set(err, code, EINVAL, NULL, "read %s: it is not a JSON object", what);
	return 0;
}

const struct json_value *json_first(const struct json_value *container)
{
	return container->size > 1 ? container + 1 : NULL;
}

const struct json_value *json_next(const struct json_value *container,
				   const struct json_value *item)
{
	item += item->size;
	return item < container + container->size ? item : NULL;
}

const struct json_value *json_member(const struct json_text *json, const struct json_value *object,
				     const char *name)
{
	const struct json_value *found = NULL, *key = json_first(object);

	while (key) {
		const struct json_value *value = key + 1;

		if (json_equals(json, key, name))
			found = value;
		key = json_next(object, value);
	}
	return found && found->kind != JSON_NULL ? found : NULL;
}

static uint32_t hex_value(const char *digits)
{
	uint32_t value = 0;

	for (size_t i = 0; i < 4; i++) {
		char c = digits[i];
		int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

		value = value << 4 | (uint32_t)digit;
	}
	return value;
}

static char *put_utf8(char *to, uint32_t character)
{
	if (character < 0x80) {
		*to++ = (char)character;
		return to;
	}
	if (character < 0x800) {
		*to++ = (char)(0xc0 | character >> 6);
	} else {
		if (character < 0x10000) {
			*to++ = (char)(0xe0 | character >> 12);
		} else {
			*to++ = (char)(0xf0 | character >> 18);
			*to++ = (char)(0x80 | (character >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (character >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (character & 0x3f));
	return to;
}

#define REPLACEMENT_CHARACTER 0xfffd

static bool is_low_surrogate(uint32_t character)
{
	return character >= 0xdc00 && character < 0xe000;
}

/* Behind the digits of \uXXXX, and of the second one of a pair: what is half of one is replaced. */
static const char *decode_unicode(const char *from, const char *end, uint32_t *ret)
{
	uint32_t first = hex_value(from), second;

	from += 4;
	*ret = first;
	if (first < 0xd800 || first >= 0xe000)
		return from;
	*ret = REPLACEMENT_CHARACTER;
	if (is_low_surrogate(first) || end - from < 6 || from[0] != '\\' || from[1] != 'u')
		return from;
	second = hex_value(from + 2);
	if (!is_low_surrogate(second))
		return from;
	*ret = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
	return from + 6;
}

char *json_string(const struct json_text *json, const struct json_value *string,
		  struct arena *arena)
{
	static const char escapes[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *from = json->text + string->start, *end = from + string->length, *escape;
	char *copy, *to;

	if (!string->escaped)
		return arena_strndup(arena, from, string->length);
	copy = to = arena_alloc(arena, (size_t)string->length + 1); /* escapes are the longer */
	while (copy && from < end) {
		uint32_t character;

		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		escape = strchr(escapes, from[1]);
		if (from[1] == 'u') {
			from = decode_unicode(from + 2, end, &character);
			to = put_utf8(to, character);
		} else {
			*to = from[1];
			if (escape)
				*to = meant[escape - escapes];
			to++;
			from += 2;
		}
	}
	return copy;
}

bool json_equals(const struct json_text *json, const struct json_value *string, const char *text)
{
	AUTO_ARENA arena = {0};
	const char *decoded;

	if (!string->escaped)
		return string->length == strlen(text) &&
		       memcmp(json->text + string->start, text, string->length) == 0;
	decoded = json_string(json, string, &arena);
	return decoded && strcmp(decoded, text) == 0;
}

bool json_is_true(const struct json_text *json, const struct json_value *boolean)
{
	return json->text[boolean->start] == 't';
}

int64_t json_integer(const struct json_text *json, const struct json_value *integer)
{
	const char *text = json->text + integer->start;
	bool negative = *text == '-';
	uint64_t value;

	/* The only way to fail is to be out of range. */
	if (parse_number(text + negative, integer->length - negative, 10, INT64_MAX, &value) < 0)
		return negative ? INT64_MIN : INT64_MAX;
	return negative ? -(int64_t)value : (int64_t)value;
}
