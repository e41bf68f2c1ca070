// SPDX-License-Identifier: Apache-2.0
/* A file `properties` of KFD's topology. */
#include "fuzz.h"
#include "vendor/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct topology_node node, again;
	char rewritten[256];
	const char *arch;
	int r = topology_parse(text, strlen(text), &node);

	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0)
		return 0;
	FUZZ_CHECK(node.render_minor <= 0xfffff && node.gfx_version <= 999999);
	arch = topology_arch(node.gfx_version, &arena);
	FUZZ_CHECK((arch != NULL) == (node.gfx_version != 0));
	/* What was understood, written as the kernel does, means the same. */
	(void)snprintf(rewritten, sizeof(rewritten),
		       "gfx_target_version %u\nlocation_id %u\ndomain %u\ndrm_render_minor %u\n"
		       "unique_id %ju\n",
		       node.gfx_version, node.location, node.domain, node.render_minor,
		       (uintmax_t)node.unique_id);
	FUZZ_CHECK(topology_parse(rewritten, strlen(rewritten), &again) == 0);
	FUZZ_CHECK(again.gfx_version == node.gfx_version && again.location == node.location &&
		   again.domain == node.domain && again.render_minor == node.render_minor &&
		   again.unique_id == node.unique_id);
	return 0;
}
