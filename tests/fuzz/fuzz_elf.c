// SPDX-License-Identifier: Apache-2.0
/* ELF libraries, read in both ways: they must agree. A note found is parsed, too. */
#include <sys/mman.h>
#include <unistd.h>

#include "davit/loader.h"
#include "fuzz.h"

static int put_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void check_facts(const struct elf_facts *facts, struct arena *arena)
{
	struct cuda_note note;

	FUZZ_CHECK(facts->class_bits == 32 || facts->class_bits == 64);
	if (facts->soname) {
		FUZZ_CHECK(*facts->soname && strlen(facts->soname) <= 255);
		FUZZ_CHECK(fuzz_printable(facts->soname) && !strpbrk(facts->soname, "/ "));
		FUZZ_CHECK(strcmp(facts->soname, ".") != 0 && strcmp(facts->soname, "..") != 0);
	}
	if (facts->cuda_note) {
		FUZZ_CHECK(facts->cuda_note[0] == '{');
		(void)cuda_note_parse(facts->cuda_note, arena, &note);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned wants[] = {ELF_WANT_SONAME, ELF_WANT_CUDA_NOTE,
					 ELF_WANT_SONAME | ELF_WANT_CUDA_NOTE};
	int fd = put_file(data, size);

	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		AUTO_ARENA arena = {0};
		struct elf_facts read, mapped;
		int r = elf_read(fd, wants[i], &arena, &read);
		int r_mapped = elf_read(fd, wants[i] | ELF_WANT_MAPPED, &arena, &mapped);

		FUZZ_CHECK(r == r_mapped);
		FUZZ_CHECK(r == 0 || r == -EINVAL);
		if (r < 0)
			continue;
		check_facts(&read, &arena);
		FUZZ_CHECK(read.class_bits == mapped.class_bits && read.machine == mapped.machine);
		FUZZ_CHECK(string_equal(read.soname, mapped.soname));
		FUZZ_CHECK(string_equal(read.cuda_note, mapped.cuda_note));
	}
	return 0;
}
