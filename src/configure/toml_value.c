// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "toml_parser.h"

/* ---- comments and blanks ---------------------------------------------------------------- */

/* Not allowed in strings and comments: control characters but for the tab. */
static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

int toml_skip_comment(struct toml_parser *p)
{
	while (p->text[p->at] && !is_control(p->text[p->at]))
		p->at++;
	if (p->text[p->at] && p->text[p->at] != '\n' && strncmp(p->text + p->at, "\r\n", 2) != 0)
		return toml_problem(p, p->at, "a control character in a comment");
	return 0;
}

/* Between the items of an array. */
static int skip_space(struct toml_parser *p)
{
	for (;;) {
		int r;

		p->at += strspn(p->text + p->at, " \t\n");
		if (strncmp(p->text + p->at, "\r\n", 2) == 0) {
			p->at += 2;
			continue;
		}
		if (p->text[p->at] != '#')
			return 0;
		r = toml_skip_comment(p);
		if (r < 0)
			return r;
	}
}

/* ---- strings ---------------------------------------------------------------------------- */

static char *put_utf8(char *to, uint32_t character)
{
	unsigned more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
	static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};

	*to++ = (char)(first[more] | character >> 6 * more);
	while (more-- > 0)
		*to++ = (char)(0x80 | (character >> 6 * more & 0x3f));
	return to;
}

/* \uXXXX and \UXXXXXXXX: behind the letter. */
static int parse_unicode(struct toml_parser *p, size_t digits, char **to)
{
	uint64_t value;

	if (strspn(p->text + p->at, "0123456789abcdefABCDEF") < digits ||
	    parse_number(p->text + p->at, digits, 16, 0x10ffff, &value) < 0 ||
	    (value >= 0xd800 && value < 0xe000))
		return toml_problem(p, p->at, "no Unicode character has that number");
	if (value == 0)
		return toml_problem(p, p->at, "a NUL character in a string");
	*to = put_utf8(*to, (uint32_t)value);
	p->at += digits;
	return 0;
}

/* `at` is at the backslash. */
static int parse_escape(struct toml_parser *p, bool several, char **to)
{
	static const char escapes[] = "btnfr\"\\", characters[] = "\b\t\n\f\r\"\\";
	char c = p->text[p->at + 1];
	const char *at = c ? strchr(escapes, c) : NULL;
	size_t blanks = strspn(p->text + p->at + 1, " \t\r");

	if (at) {
		*(*to)++ = characters[at - escapes];
		p->at += 2;
		return 0;
	}
	if (c == 'u' || c == 'U') {
		p->at += 2;
		return parse_unicode(p, c == 'u' ? 4 : 8, to);
	}
	/* The end of a line with all blanks behind it. */
	if (several && p->text[p->at + 1 + blanks] == '\n') {
		p->at += 1 + blanks;
		p->at += strspn(p->text + p->at, " \t\r\n");
		return 0;
	}
	return toml_problem(p, p->at, "an unknown escape");
}

/* How many quotation marks a string in three of them ends with here: 3 to 5, or 0. */
static size_t closing(const char *at, char quote)
{
	size_t count = 0;

	while (count < 5 && at[count] == quote)
		count++;
	return count < 3 ? 0 : count;
}

static int parse_multiline(struct toml_parser *p, char quote, char *to)
{
	size_t start = p->at, end;

	p->at += 3;
	if (p->text[p->at] == '\r' && p->text[p->at + 1] == '\n')
		p->at++;
	p->at += p->text[p->at] == '\n';
	while (!(end = closing(p->text + p->at, quote))) {
		char c = p->text[p->at];
		int r;

		if (!c)
			return toml_problem(p, start, "a string doesn't end");
		if (c == '\\' && quote == '"') {
			r = parse_escape(p, true, &to);
			if (r < 0)
				return r;
			continue;
		}
		if (is_control(c) && c != '\n' && !(c == '\r' && p->text[p->at + 1] == '\n'))
			return toml_problem(p, p->at, "a control character in a string");
		*to++ = c;
		p->at++;
	}
	/* The last three close; those before belong to the string. */
	memset(to, quote, end - 3);
	p->at += end;
	return 0;
}

static int parse_line_string(struct toml_parser *p, char quote, char *to)
{
	size_t start = p->at;

	for (p->at++; p->text[p->at] != quote;) {
		char c = p->text[p->at];
		int r;

		if (!c || c == '\n')
			return toml_problem(p, start, "a string doesn't end");
		if (is_control(c))
			return toml_problem(p, p->at, "a control character in a string");
		if (c == '\\' && quote == '"') {
			r = parse_escape(p, false, &to);
			if (r < 0)
				return r;
			continue;
		}
		*to++ = c;
		p->at++;
	}
	p->at++;
	return 0;
}

/* At most what the decoded string takes, its NUL included: the text up to its end is longer. */
static size_t room_for(const char *text, char quote, bool multiline)
{
	size_t length = multiline ? 3 : 1;

	for (; text[length]; length++) {
		if (multiline ? closing(text + length, quote) != 0
			      : text[length] == quote || text[length] == '\n')
			break;
		length += text[length] == '\\' && quote == '"' && text[length + 1];
	}
	return length + 6;
}

int toml_parse_string(struct toml_parser *p, bool several, const char **ret)
{
	const char *at = p->text + p->at;
	char quote = *at, *made;
	bool multiline = at[1] == quote && at[2] == quote;

	if (multiline && !several)
		return toml_problem(p, p->at, "a key in triple quotes");
	made = arena_alloc(p->arena, room_for(at, quote, multiline));
	if (!made)
		return error_memory(p->err);
	*ret = made;
	return multiline ? parse_multiline(p, quote, made) : parse_line_string(p, quote, made);
}

/* ---- numbers, dates, booleans ------------------------------------------------------------ */

#define DIGITS "0123456789"

/* Digits with single underscores between them; how many characters, or 0. */
static size_t digits_length(const char *text, const char *digits)
{
	size_t length = 0;

	while (text[length] && strchr(digits, text[length])) {
		length++;
		if (text[length] == '_' && text[length + 1] && strchr(digits, text[length + 1]))
			length++;
	}
	return length;
}

/* 0x1f, 0o17, 0b11 */
static bool is_prefixed(const char *text, size_t length)
{
	const char *digits;
	size_t count;

	if (length < 3 || text[0] != '0' || !strchr("xob", text[1]))
		return false;
	digits = text[1] == 'x' ? DIGITS "abcdefABCDEF" : text[1] == 'o' ? "01234567" : "01";
	count = digits_length(text + 2, digits);
	return count > 0 && count + 2 == length;
}

/* A decimal number of that length, and whether it has a fraction or an exponent. */
static bool is_decimal(const char *text, size_t length, bool *ret_float)
{
	size_t at = text[0] == '+' || text[0] == '-', whole = digits_length(text + at, DIGITS);

	*ret_float = false;
	if (whole == 0 || (text[at] == '0' && whole > 1))
		return false;
	at += whole;
	if (at < length && text[at] == '.') {
		size_t fraction = digits_length(text + at + 1, DIGITS);

		*ret_float = fraction > 0;
		if (fraction == 0)
			return false;
		at += 1 + fraction;
	}
	if (at < length && (text[at] == 'e' || text[at] == 'E')) {
		size_t sign = text[at + 1] == '+' || text[at + 1] == '-';
		size_t exponent = digits_length(text + at + 1 + sign, DIGITS);

		*ret_float = exponent > 0;
		if (exponent == 0)
			return false;
		at += 1 + sign + exponent;
	}
	return at == length;
}

/* "dddd-dd": in the pattern `d` is a digit, anything else itself. */
static bool fits(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++)
		if (*pattern == 'd' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	return true;
}

static bool in_range(const char *text, unsigned first, unsigned last)
{
	unsigned value = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');

	return value >= first && value <= last;
}

/* A time at this place, with its fraction: its length, or 0. */
static size_t time_length(const char *text)
{
	size_t length = strlen("00:00:00");

	if (!fits(text, "dd:dd:dd") || !in_range(text, 0, 23) || !in_range(text + 3, 0, 59) ||
	    !in_range(text + 6, 0, 60))
		return 0;
	if (text[length] == '.' && strspn(text + length + 1, DIGITS) > 0)
		length += 1 + strspn(text + length + 1, DIGITS);
	return length;
}

static size_t offset_length(const char *text)
{
	if (*text == 'Z' || *text == 'z')
		return 1;
	if ((fits(text, "+dd:dd") || fits(text, "-dd:dd")) && in_range(text + 1, 0, 23) &&
	    in_range(text + 4, 0, 59))
		return strlen("+00:00");
	return 0;
}

/* A date, a time, or both: its length, or 0. */
static size_t datetime_length(const char *text)
{
	size_t date = strlen("0000-00-00"), time;

	if (!fits(text, "dddd-dd-dd"))
		return time_length(text);
	if (!in_range(text + 5, 1, 12) || !in_range(text + 8, 1, 31))
		return 0;
	time = strchr("Tt ", text[date]) && text[date] ? time_length(text + date + 1) : 0;
	if (time == 0)
		return date;
	return date + 1 + time + offset_length(text + date + 1 + time);
}

static bool is_special_float(const char *text, size_t length)
{
	size_t sign = text[0] == '+' || text[0] == '-';

	return length == sign + 3 &&
	       (strncmp(text + sign, "inf", 3) == 0 || strncmp(text + sign, "nan", 3) == 0);
}

static int parse_scalar(struct toml_parser *p, struct toml_node *node)
{
	const char *text = p->text + p->at;
	size_t length = strspn(text, TOML_BARE "+.:"), datetime = datetime_length(text);
	struct slice word = {text, length};
	bool is_float;

	if (datetime > 0 && datetime >= length) {
		node->type = TOML_DATETIME;
		length = datetime;
	} else if (slice_equal(word, "true") || slice_equal(word, "false")) {
		node->type = TOML_BOOLEAN;
	} else if (is_prefixed(text, length)) {
		node->type = TOML_INTEGER;
	} else if (is_decimal(text, length, &is_float)) {
		node->type = is_float ? TOML_FLOAT : TOML_INTEGER;
	} else if (is_special_float(text, length)) {
		node->type = TOML_FLOAT;
	} else {
		return toml_problem(p, p->at, length ? "not a TOML value" : "a value is missing");
	}
	p->at += length;
	return 0;
}

/* ---- arrays and inline tables ------------------------------------------------------------ */

static int parse_array(struct toml_parser *p, size_t depth, struct toml_node *array)
{
	size_t start = p->at++;
	int r;

	for (;;) {
		struct toml_node *item = NULL;

		r = skip_space(p);
		if (r < 0 || p->text[p->at] == ']')
			break;
		if (!p->text[p->at])
			return toml_problem(p, start, "an array doesn't end");
		r = toml_parse_value(p, depth + 1, &item);
		if (r == 0)
			r = toml_add(p, array, p->at, item);
		if (r == 0)
			r = skip_space(p);
		if (r < 0)
			return r;
		if (p->text[p->at] == ',')
			p->at++;
		else if (p->text[p->at] != ']')
			return toml_problem(p, p->at, "a `,` or the end of an array is missing");
	}
	p->at++;
	return r;
}

/* In one line, without a comma at the end. */
static int parse_inline(struct toml_parser *p, size_t depth, struct toml_node *table)
{
	p->at++;
	p->at += strspn(p->text + p->at, " \t");
	if (p->text[p->at] == '}') {
		p->at++;
		return 0;
	}
	for (;;) {
		struct toml_node *node;
		int r = toml_parse_pair(p, table, depth, &node);

		if (r < 0)
			return r;
		p->at += strspn(p->text + p->at, " \t");
		if (p->text[p->at] == '}')
			break;
		if (p->text[p->at] != ',')
			return toml_problem(p, p->at, "a `,` or the end of a table is missing");
		p->at++;
	}
	p->at++;
	return 0;
}

int toml_parse_value(struct toml_parser *p, size_t depth, struct toml_node **ret)
{
	struct toml_node *node = arena_alloc(p->arena, sizeof(*node));
	size_t start = p->at;
	char c = p->text[start];
	int r;

	if (!node)
		return error_memory(p->err);
	if (depth > TOML_DEPTH_MAX)
		return toml_problem(p, start, "the file is nested too deeply");
	if (c == '"' || c == '\'') {
		node->type = TOML_STRING;
		r = toml_parse_string(p, true, &node->string);
	} else if (c == '[') {
		node->type = TOML_ARRAY;
		r = parse_array(p, depth, node);
	} else if (c == '{') {
		node->type = TOML_TABLE;
		r = parse_inline(p, depth, node);
	} else {
		r = parse_scalar(p, node);
	}
	node->text = (struct slice){p->text + start, p->at - start};
	*ret = node;
	return r;
}
