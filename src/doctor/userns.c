// SPDX-License-Identifier: Apache-2.0
/* userns-remap of dockerd, which doesn't start without that user, its group and their ranges. */
#include <string.h>

#include "davit/configure.h"
#include "engines.h"

struct account {
	struct slice name, number;
};

static bool is_same(struct slice a, struct slice b)
{
	return a.length && a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* Finds a line of /etc/passwd or /etc/group by its name or number. */
static bool find_account(const char *text, struct slice wanted, struct account *ret)
{
	struct slice rest = slice_from(text), line, field;

	while (slice_next(&rest, '\n', &line)) {
		*ret = (struct account){0};
		for (int i = 0; i < 3 && slice_next(&line, ':', &field); i++)
			if (i == 0)
				ret->name = field;
			else if (i == 2)
				ret->number = field;
		if (is_same(ret->name, wanted) || is_same(ret->number, wanted))
			return true;
	}
	return false;
}

/* Whether /etc/subuid or /etc/subgid has a range for the account. */
static bool has_range(const char *text, const struct account *account)
{
	struct slice rest = slice_from(text), line, field;

	while (slice_next(&rest, '\n', &line))
		if (slice_next(&line, ':', &field) &&
		    (is_same(field, account->name) || is_same(field, account->number)))
			return true;
	return false;
}

/* "" if it doesn't exist; NULL if it can't be read, or without memory. */
static const char *read_text(struct doctor_gathering *g, const char *path)
{
	struct error ignored = {0};
	char *text = NULL;

	if (configure_read(&g->root, path, g->arena, &text, &ignored) < 0)
		return NULL;
	return text ? text : "";
}

/* Whether accounts may also come from a directory service, where davit doesn't look. */
static bool has_others(struct doctor_gathering *g)
{
	static const char *const local[] = {"files", "compat", "systemd"};
	const char *text = read_text(g, "/etc/nsswitch.conf");
	struct slice rest = slice_from(text ? text : ""), line, word;

	while (slice_next(&rest, '\n', &line)) {
		if (!slice_starts(line, "passwd:"))
			continue;
		(void)slice_next(&line, ':', &word);
		while (slice_next(&line, ' ', &word)) {
			bool known;

			word = slice_trim(word);
			known = word.length == 0;
			for (size_t i = 0; i < ARRAY_SIZE(local); i++)
				known |= slice_equal(word, local[i]);
			if (!known)
				return true;
		}
	}
	return !text;
}

int engine_judge_userns(struct doctor_gathering *g, const char *value, const char **ret)
{
	const char *users = read_text(g, "/etc/passwd"), *groups = read_text(g, "/etc/group");
	const char *uids = read_text(g, "/etc/subuid"), *gids = read_text(g, "/etc/subgid");
	struct slice rest = slice_from(value), name, group;
	struct account user, found;
	const char *lacks = NULL;

	/* dockerd creates the user of "default". */
	if (!*value || string_equal(value, "default") || !users || !groups || !uids || !gids ||
	    !slice_next(&rest, ':', &name))
		return 0;
	if (!find_account(users, name, &user)) {
		if (has_others(g))
			return 0;
		lacks = "the user doesn't exist";
	} else {
		if (!slice_next(&rest, ':', &group))
			group = user.name;
		if (!find_account(groups, group, &found))
			lacks = has_others(g) ? NULL : "the group doesn't exist";
		else if (!has_range(uids, &user))
			lacks = "/etc/subuid has no range for the user";
		else if (!has_range(gids, &user))
			lacks = "/etc/subgid has no range for the user";
	}
	if (!lacks)
		return 0;
	*ret = arena_printf(g->arena, "userns-remap is %s, but %s", value, lacks);
	return *ret ? 0 : -ENOMEM;
}
