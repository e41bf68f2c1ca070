// SPDX-License-Identifier: Apache-2.0
/* ELF libraries, asked for one fact and for both: the answers must agree. A note is parsed, too. */
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
	AUTO_ARENA arena = {0};
	struct elf_facts soname, note, both;
	int fd = put_file(data, size);
	int r_soname = elf_read(fd, ELF_WANT_SONAME, &arena, &soname);
	int r_note = elf_read(fd, ELF_WANT_CUDA_NOTE, &arena, &note);
	int r = elf_read(fd, ELF_WANT_SONAME | ELF_WANT_CUDA_NOTE, &arena, &both);

	FUZZ_CHECK(r == 0 || r == -EINVAL);
	FUZZ_CHECK(r_soname == r && (r_note == 0 || r_note == r));
	if (r < 0)
		return 0;
	check_facts(&both, &arena);
	FUZZ_CHECK(both.class_bits == soname.class_bits && both.machine == note.machine);
	FUZZ_CHECK(string_equal(both.soname, soname.soname) && !note.soname);
	FUZZ_CHECK(string_equal(both.cuda_note, note.cuda_note) && !soname.cuda_note);
	return 0;
}
