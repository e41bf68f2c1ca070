// SPDX-License-Identifier: Apache-2.0
/*
 * Debian 13's libelf.a (elfutils 0.192) lacks the functions of its own libeu.a, which isn't
 * installed, so that nothing can be linked with it statically; 0.193 has them inside. These are the
 * four that it calls: tsearch(3) on a tree whose struct begins with its root. The lock that stands
 * behind the root is left alone: davit reads ELF files from one thread.
 *
 * CMake adds this file where a static program can't be linked without it.
 */
#include <search.h>
#include <stddef.h>

struct search_tree {
	void *root;
};
typedef int compare_keys(const void *, const void *);

void eu_search_tree_init(struct search_tree *tree);
void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *));
void *eu_tsearch(const void *key, struct search_tree *tree, compare_keys *compare);
void *eu_tdelete(const void *key, struct search_tree *tree, compare_keys *compare);

void eu_search_tree_init(struct search_tree *tree)
{
	tree->root = NULL;
}

void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *))
{
	if (free_node)
		tdestroy(tree->root, free_node);
	tree->root = NULL;
}

void *eu_tsearch(const void *key, struct search_tree *tree, compare_keys *compare)
{
	return tsearch(key, &tree->root, compare);
}

void *eu_tdelete(const void *key, struct search_tree *tree, compare_keys *compare)
{
	return tdelete(key, &tree->root, compare);
}
