// SPDX-License-Identifier: Apache-2.0
#include <gelf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "davit/loader.h"

/*
 * What a library of the driver never reaches. They bound what a hostile file can make us read:
 * libelf checks that ranges lie in the file, not that they are sensible.
 */
#define PROGRAM_HEADERS_MAX 128
#define SECTIONS_MAX 1024
#define DYNAMIC_MAX ((size_t)64 * 1024)
#define NOTES_MAX ((size_t)64 * 1024)
#define SECTION_NAMES_MAX ((size_t)1024 * 1024)
#define SONAME_MAX 255

#define NOTE_SECTION ".note.cuda.fwd_compatibility"
#define NOTE_OWNER "NVIDIA Corporation"

/* An open file as libelf sees it; `map` is NULL when libelf reads it by pread(2). */
struct elf_file {
	Elf *elf;
	void *map;
	size_t map_size;
};

static void elf_file_close(struct elf_file *file)
{
	(void)elf_end(file->elf);
	if (file->map)
		(void)munmap(file->map, file->map_size);
}

static int elf_file_open(int fd, unsigned want, struct elf_file *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EINVAL;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EINVAL;
	if (want & ELF_WANT_MAPPED) {
		ret->map_size = (size_t)st.st_size;
		ret->map = mmap(NULL, ret->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (ret->map == MAP_FAILED) {
			ret->map = NULL;
			return -errno;
		}
		ret->elf = elf_memory(ret->map, ret->map_size);
	} else {
		ret->elf = elf_begin(fd, ELF_C_READ, NULL);
	}
	return ret->elf && elf_kind(ret->elf) == ELF_K_ELF ? 0 : -EINVAL;
}

/* Bytes of the file, translated as `type`; NULL when they are not all there or over `limit`. */
static Elf_Data *read_chunk(Elf *elf, uint64_t offset, uint64_t size, size_t limit, Elf_Type type)
{
	if (size == 0 || size > limit || offset > INT64_MAX)
		return NULL;
	return elf_getdata_rawchunk(elf, (int64_t)offset, (size_t)size, type);
}

/* The next program header of that type from *index on; *index goes behind it. */
static bool next_segment(Elf *elf, uint32_t type, size_t *index, GElf_Phdr *ret)
{
	size_t count;

	if (elf_getphdrnum(elf, &count) < 0)
		return false;
	while (*index < count)
		if (gelf_getphdr(elf, (int)(*index)++, ret) && ret->p_type == type)
			return true;
	return false;
}

/* Where the file holds what is loaded at `address`, and how many bytes follow there. */
static bool find_address(Elf *elf, uint64_t address, uint64_t *ret_offset, uint64_t *ret_room)
{
	size_t index = 0;
	GElf_Phdr segment;

	while (next_segment(elf, PT_LOAD, &index, &segment)) {
		uint64_t skip = address - segment.p_vaddr;

		if (address < segment.p_vaddr || skip >= segment.p_filesz ||
		    __builtin_add_overflow(segment.p_offset, skip, ret_offset))
			continue;
		*ret_room = segment.p_filesz - skip;
		return true;
	}
	return false;
}

/* It becomes the name of a link: nothing but a plain file name will do. */
static bool is_file_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/')
			return false;
	return *name && !string_equal(name, ".") && !string_equal(name, "..");
}

static int copy_soname(Elf *elf, uint64_t strings, uint64_t index, struct arena *arena,
		       struct elf_facts *ret)
{
	uint64_t offset, room;
	Elf_Data *data;
	const char *name;

	if (__builtin_add_overflow(strings, index, &offset) ||
	    !find_address(elf, offset, &offset, &room))
		return -EINVAL;
	data = read_chunk(elf, offset, room > SONAME_MAX + 1 ? SONAME_MAX + 1 : room,
			  SONAME_MAX + 1, ELF_T_BYTE);
	if (!data || !memchr(data->d_buf, '\0', data->d_size))
		return -EINVAL;
	name = arena_strdup(arena, data->d_buf);
	if (!name)
		return -ENOMEM;
	if (!is_file_name(name))
		return -EINVAL;
	ret->soname = name;
	return 0;
}

/* By the program headers, as the loader does: section headers may be stripped. */
static int read_soname(Elf *elf, struct arena *arena, struct elf_facts *ret)
{
	bool has_soname = false, has_strings = false;
	uint64_t soname = 0, strings = 0;
	GElf_Phdr segment;
	size_t index = 0;
	Elf_Data *data;
	GElf_Dyn dyn;

	if (!next_segment(elf, PT_DYNAMIC, &index, &segment))
		return 0;
	data = read_chunk(elf, segment.p_offset, segment.p_filesz, DYNAMIC_MAX, ELF_T_DYN);
	if (!data)
		return -EINVAL;
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_SONAME) {
			soname = dyn.d_un.d_val;
			has_soname = true;
		} else if (dyn.d_tag == DT_STRTAB) {
			strings = dyn.d_un.d_ptr;
			has_strings = true;
		}
	}
	if (!has_soname)
		return 0;
	return has_strings ? copy_soname(elf, strings, soname, arena, ret) : -EINVAL;
}

/* The JSON text in the first note of NVIDIA's that has one. 0 or -ENOMEM. */
static int find_note(Elf *elf, uint64_t offset, uint64_t size, uint64_t align, struct arena *arena,
		     struct elf_facts *ret)
{
	Elf_Data *data =
		read_chunk(elf, offset, size, NOTES_MAX, align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	size_t next = 0, name, text;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, next, &note, &name, &text)) > 0) {
		const char *bytes = data->d_buf;

		if (note.n_namesz != sizeof(NOTE_OWNER) || note.n_descsz == 0 ||
		    memcmp(bytes + name, NOTE_OWNER, sizeof(NOTE_OWNER)) != 0 || bytes[text] != '{')
			continue;
		ret->cuda_note =
			arena_strndup(arena, bytes + text, strnlen(bytes + text, note.n_descsz));
		return ret->cuda_note ? 0 : -ENOMEM;
	}
	return 0;
}

/* For libraries whose note isn't loaded: no program header leads to it. */
static int read_note_section(Elf *elf, struct arena *arena, struct elf_facts *ret)
{
	size_t names, count;
	GElf_Shdr header;
	Elf_Scn *section;

	if (elf_getshdrnum(elf, &count) < 0 || count > SECTIONS_MAX ||
	    elf_getshdrstrndx(elf, &names) < 0)
		return 0;
	section = elf_getscn(elf, names);
	if (!section || !gelf_getshdr(section, &header) || header.sh_size > SECTION_NAMES_MAX)
		return 0;
	for (section = NULL; (section = elf_nextscn(elf, section));) {
		const char *name = NULL;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE)
			name = elf_strptr(elf, names, header.sh_name);
		if (string_equal(name, NOTE_SECTION))
			return find_note(elf, header.sh_offset, header.sh_size, header.sh_addralign,
					 arena, ret);
	}
	return 0;
}

static int read_note(Elf *elf, struct arena *arena, struct elf_facts *ret)
{
	GElf_Phdr segment;
	size_t index = 0;
	int r = 0;

	while (r == 0 && !ret->cuda_note && next_segment(elf, PT_NOTE, &index, &segment))
		r = find_note(elf, segment.p_offset, segment.p_filesz, segment.p_align, arena, ret);
	return r == 0 && !ret->cuda_note ? read_note_section(elf, arena, ret) : r;
}

int elf_read(int fd, unsigned want, struct arena *arena, struct elf_facts *ret)
{
	__attribute__((cleanup(elf_file_close))) struct elf_file file = {0};
	GElf_Ehdr header;
	GElf_Phdr segment;
	size_t segments;
	int r = elf_file_open(fd, want, &file);

	*ret = (struct elf_facts){0};
	if (r < 0)
		return r;
	if (!gelf_getehdr(file.elf, &header) || elf_getphdrnum(file.elf, &segments) < 0 ||
	    segments > PROGRAM_HEADERS_MAX || (segments && !gelf_getphdr(file.elf, 0, &segment)))
		return -EINVAL;
	/* Files of the other byte order run nowhere here, and libelf would translate them. */
	if (header.e_ident[EI_DATA] !=
	    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return -EINVAL;
	ret->class_bits = gelf_getclass(file.elf) == ELFCLASS64 ? 64 : 32;
	ret->machine = header.e_machine;
	if (want & ELF_WANT_SONAME)
		r = read_soname(file.elf, arena, ret);
	if (r == 0 && (want & ELF_WANT_CUDA_NOTE))
		r = read_note(file.elf, arena, ret);
	return r;
}
