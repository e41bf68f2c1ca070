// SPDX-License-Identifier: Apache-2.0
#include <gelf.h>
#include <stdalign.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/loader.h"

/*
 * libelf never sees the file. Its elf_begin believes what a header says of the number of sections
 * and makes some hundred bytes of memory for each: gigabytes for a file of 8 KiB. So the header and
 * the tables are read here, by pread(2) and within these bounds, and put together behind each
 * other; that extract is the file which libelf reads. Every byte is read once, so a file that
 * changes meanwhile is as good as one that was damaged before.
 *
 * No library of a driver reaches the bounds.
 */
#define PROGRAM_HEADERS_MAX 128
#define SECTIONS_MAX 256
#define CHUNK_MAX ((size_t)64 * 1024) /* for a dynamic section, or notes */
#define SONAME_MAX 255
#define HEAD_SIZE ((size_t)4096) /* usually contains the program headers and the SONAME */

#define NOTE_SECTION ".note.cuda.fwd_compatibility"
#define NOTE_OWNER "NVIDIA Corporation"

/* The positions of the extract's parts. */
#define AT_SEGMENTS sizeof(Elf64_Ehdr)
#define AT_SECTIONS (AT_SEGMENTS + PROGRAM_HEADERS_MAX * sizeof(Elf64_Phdr))
#define AT_CHUNK (AT_SECTIONS + SECTIONS_MAX * sizeof(Elf64_Shdr))

struct elf_file {
	int fd;
	Elf *elf; /* of the extract */
	size_t head_length;
	unsigned char head[HEAD_SIZE];
	alignas(16) unsigned char extract[AT_CHUNK + CHUNK_MAX];
};

/* The positions and sizes of the tables, from the ELF header. */
struct tables {
	uint64_t segments_at, sections_at;
	unsigned segment_size, segments, section_size, sections, names;
};

/* ---- reading the file ------------------------------------------------------------------- */

/* The number of bytes read, which is less at the end of the file; or -errno. */
static ssize_t read_some(const struct elf_file *file, uint64_t offset, size_t size, void *ret)
{
	size_t length = 0;

	if (offset > INT64_MAX - size)
		return 0;
	if (offset <= file->head_length && file->head_length - offset >= size) {
		memcpy(ret, file->head + offset, size);
		return (ssize_t)size;
	}
	while (length < size) {
		ssize_t n = pread(file->fd, (unsigned char *)ret + length, size - length,
				  (off_t)(offset + length));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		length += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)length;
}

static bool read_all(const struct elf_file *file, uint64_t offset, size_t size, void *ret)
{
	return read_some(file, offset, size, ret) == (ssize_t)size;
}

static int read_head(struct elf_file *file)
{
	struct stat st;
	ssize_t n;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	/* Files of procfs are shown as regular files, with size 0. */
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EINVAL;
	n = read_some(file, 0, HEAD_SIZE, file->head);
	if (n < 0)
		return (int)n;
	file->head_length = (size_t)n;
	return 0;
}

/* ---- the extract ------------------------------------------------------------------------ */

/* Copies the header from the head, and the tables' positions from the header. */
#define DEFINE_TAKE_HEADER(BITS)                                                              \
	static bool take_header_##BITS(const struct elf_file *file, Elf##BITS##_Ehdr *header, \
				       struct tables *ret)                                    \
	{                                                                                     \
		if (file->head_length < sizeof(*header))                                      \
			return false;                                                         \
		memcpy(header, file->head, sizeof(*header));                                  \
		*ret =                                                                        \
			(struct tables){                                                      \
				header->e_phoff,   header->e_shoff,     header->e_phentsize,  \
				header->e_phnum,   header->e_shentsize, header->e_shnum,      \
				header->e_shstrndx};                                          \
		return ret->segments == 0 || ret->segment_size == sizeof(Elf##BITS##_Phdr);   \
	}                                                                                     \
	static void put_header_##BITS(struct elf_file *file, Elf##BITS##_Ehdr *header,        \
				      const struct tables *tables)                            \
	{                                                                                     \
		header->e_phoff = tables->segments ? AT_SEGMENTS : 0;                         \
		header->e_shoff = tables->sections ? AT_SECTIONS : 0;                         \
		header->e_shnum = (Elf##BITS##_Half)tables->sections;                         \
		header->e_shstrndx = (Elf##BITS##_Half)tables->names;                         \
		memcpy(file->extract, header, sizeof(*header));                               \
	}
DEFINE_TAKE_HEADER(32)
DEFINE_TAKE_HEADER(64)

/*
 * Extended numbering (e_shnum 0, SHN_XINDEX) isn't supported, because it means far more sections
 * than are read here.
 */
static void take_sections(struct elf_file *file, size_t size, struct tables *tables)
{
	bool sensible = tables->sections_at != 0 && tables->section_size == size &&
			tables->sections <= SECTIONS_MAX && tables->names < tables->sections &&
			read_all(file, tables->sections_at, tables->sections * size,
				 file->extract + AT_SECTIONS);

	if (!sensible) {
		tables->sections = 0;
		tables->names = 0;
	}
}

/* Reads the tables to the positions that put_header writes. */
static int take_tables(struct elf_file *file, unsigned want, size_t section_size,
		       struct tables *tables)
{
	/* This includes PN_XNUM, which means that the number is elsewhere. */
	if (tables->segments > PROGRAM_HEADERS_MAX ||
	    !read_all(file, tables->segments_at, (size_t)tables->segments * tables->segment_size,
		      file->extract + AT_SEGMENTS))
		return -EINVAL;
	if (want & ELF_WANT_CUDA_NOTE) {
		take_sections(file, section_size, tables);
	} else {
		tables->sections = 0;
		tables->names = 0;
	}
	return 0;
}

static int make_extract(struct elf_file *file, unsigned want)
{
	struct tables tables;
	int r;

	if (file->head[EI_CLASS] == ELFCLASS64) {
		Elf64_Ehdr header;

		r = take_header_64(file, &header, &tables) ? 0 : -EINVAL;
		if (r == 0)
			r = take_tables(file, want, sizeof(Elf64_Shdr), &tables);
		if (r == 0)
			put_header_64(file, &header, &tables);
	} else {
		Elf32_Ehdr header;

		r = take_header_32(file, &header, &tables) ? 0 : -EINVAL;
		if (r == 0)
			r = take_tables(file, want, sizeof(Elf32_Shdr), &tables);
		if (r == 0)
			put_header_32(file, &header, &tables);
	}
	return r;
}

static bool is_elf(const struct elf_file *file)
{
	const unsigned char *ident = file->head;

	/*
	 * Files of the other byte order can't run on this machine, and libelf would translate them.
	 */
	return file->head_length >= EI_NIDENT && memcmp(ident, ELFMAG, SELFMAG) == 0 &&
	       (ident[EI_CLASS] == ELFCLASS32 || ident[EI_CLASS] == ELFCLASS64) &&
	       ident[EI_DATA] ==
		       (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB) &&
	       ident[EI_VERSION] == EV_CURRENT;
}

static int elf_file_open(struct elf_file *file, int fd, unsigned want)
{
	int r;

	file->fd = fd;
	r = read_head(file);
	if (r == 0)
		r = is_elf(file) ? make_extract(file, want) : -EINVAL;
	if (r < 0)
		return r;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EINVAL;
	file->elf = elf_memory((char *)file->extract, sizeof(file->extract));
	return file->elf && elf_kind(file->elf) == ELF_K_ELF ? 0 : -EINVAL;
}

/* ---- what it says ----------------------------------------------------------------------- */

/*
 * Bytes of the file as `type`, valid until the next call. NULL: the file ends before them, or they
 * exceed `limit`.
 */
static Elf_Data *read_chunk(struct elf_file *file, uint64_t offset, uint64_t size, size_t limit,
			    Elf_Type type)
{
	Elf_Data *data;

	if (size == 0 || size > limit ||
	    !read_all(file, offset, (size_t)size, file->extract + AT_CHUNK))
		return NULL;
	data = elf_getdata_rawchunk(file->elf, AT_CHUNK, (size_t)size, type);
	/*
	 * The chunk is aligned for every type, so libelf needs no copy of it. A copy could hold an
	 * earlier chunk.
	 */
	return data && data->d_buf == file->extract + AT_CHUNK ? data : NULL;
}

/*
 * Finds the next program header of that type, from *index on. *index becomes the number after it.
 */
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

/* Finds the file offset of what is loaded at `address`, and the number of bytes that follow. */
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

/* The SONAME becomes the name of a link, so it must be a plain file name. */
static bool is_file_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/')
			return false;
	return *name && !string_equal(name, ".") && !string_equal(name, "..");
}

static int copy_soname(const struct elf_file *file, uint64_t strings, uint64_t index,
		       struct arena *arena, struct elf_facts *ret)
{
	char name[SONAME_MAX + 1];
	uint64_t offset, room;
	ssize_t length;

	if (__builtin_add_overflow(strings, index, &offset) ||
	    !find_address(file->elf, offset, &offset, &room))
		return -EINVAL;
	if (room > sizeof(name))
		room = sizeof(name);
	/* The head usually contains all of it. */
	if (offset < file->head_length && room > file->head_length - offset &&
	    memchr(file->head + offset, '\0', file->head_length - offset))
		room = file->head_length - offset;
	length = read_some(file, offset, (size_t)room, name);
	if (length < 0 || !memchr(name, '\0', (size_t)length) || !is_file_name(name))
		return -EINVAL;
	ret->soname = arena_strdup(arena, name);
	return ret->soname ? 0 : -ENOMEM;
}

/* Uses the program headers, as the loader does, because section headers may be stripped. */
static int read_soname(struct elf_file *file, struct arena *arena, struct elf_facts *ret)
{
	bool has_soname = false, has_strings = false;
	uint64_t soname = 0, strings = 0;
	GElf_Phdr segment;
	size_t index = 0;
	Elf_Data *data;
	GElf_Dyn dyn;

	if (!next_segment(file->elf, PT_DYNAMIC, &index, &segment))
		return 0;
	data = read_chunk(file, segment.p_offset, segment.p_filesz, CHUNK_MAX, ELF_T_DYN);
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
	return has_strings ? copy_soname(file, strings, soname, arena, ret) : -EINVAL;
}

/*
 * The beginning of the JSON text in a note of NVIDIA's, and its length in *ret. It is usually at
 * the beginning of the description. On Orin, padding precedes it. NULL: the note has none.
 */
static const char *find_text(const char *bytes, size_t size, size_t *ret)
{
	size_t at = 0;

	while (at < size && (bytes[at] == '\0' || bytes[at] == ' '))
		at++;
	if (at == size || bytes[at] != '{')
		return NULL;
	*ret = strnlen(bytes + at, size - at);
	return bytes + at;
}

/* Whether it is that name with its NUL. Its length may include padding. */
static bool is_owner(const char *name, size_t length)
{
	return length >= sizeof(NOTE_OWNER) && memcmp(name, NOTE_OWNER, sizeof(NOTE_OWNER)) == 0;
}

/* Finds the JSON text in the first of NVIDIA's notes that has one. 0 or -ENOMEM. */
static int find_note(struct elf_file *file, uint64_t offset, uint64_t size, uint64_t align,
		     struct arena *arena, struct elf_facts *ret)
{
	Elf_Data *data =
		read_chunk(file, offset, size, CHUNK_MAX, align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	size_t next = 0, name, text;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, next, &note, &name, &text)) > 0) {
		const char *bytes = data->d_buf, *json;
		size_t length = 0;

		if (!is_owner(bytes + name, note.n_namesz))
			continue;
		json = find_text(bytes + text, note.n_descsz, &length);
		if (!json)
			continue;
		ret->cuda_note = arena_strndup(arena, json, length);
		return ret->cuda_note ? 0 : -ENOMEM;
	}
	return 0;
}

static bool is_named(const struct elf_file *file, const GElf_Shdr *names, uint64_t index,
		     const char *name)
{
	char text[sizeof(NOTE_SECTION)];
	uint64_t offset;

	return index < names->sh_size && names->sh_size - index >= sizeof(text) &&
	       !__builtin_add_overflow(names->sh_offset, index, &offset) &&
	       read_all(file, offset, sizeof(text), text) && memcmp(text, name, sizeof(text)) == 0;
}

/* For libraries whose note has no program header, because it isn't loaded. */
static int read_note_section(struct elf_file *file, struct arena *arena, struct elf_facts *ret)
{
	GElf_Shdr header, names;
	Elf_Scn *section;
	size_t index;

	if (elf_getshdrstrndx(file->elf, &index) < 0)
		return 0;
	section = elf_getscn(file->elf, index);
	if (!section || !gelf_getshdr(section, &names))
		return 0;
	for (section = NULL; (section = elf_nextscn(file->elf, section));)
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE &&
		    is_named(file, &names, header.sh_name, NOTE_SECTION))
			return find_note(file, header.sh_offset, header.sh_size,
					 header.sh_addralign, arena, ret);
	return 0;
}

static int read_note(struct elf_file *file, struct arena *arena, struct elf_facts *ret)
{
	GElf_Phdr segment;
	size_t index = 0;
	int r = 0;

	while (r == 0 && !ret->cuda_note && next_segment(file->elf, PT_NOTE, &index, &segment))
		r = find_note(file, segment.p_offset, segment.p_filesz, segment.p_align, arena,
			      ret);
	return r == 0 && !ret->cuda_note ? read_note_section(file, arena, ret) : r;
}

static int read_facts(struct elf_file *file, int fd, unsigned want, struct arena *arena,
		      struct elf_facts *ret)
{
	GElf_Ehdr header;
	int r = elf_file_open(file, fd, want);

	if (r < 0)
		return r;
	if (!gelf_getehdr(file->elf, &header))
		return -EINVAL;
	ret->class_bits = gelf_getclass(file->elf) == ELFCLASS64 ? 64 : 32;
	ret->machine = header.e_machine;
	if (want & ELF_WANT_SONAME)
		r = read_soname(file, arena, ret);
	if (r == 0 && (want & ELF_WANT_CUDA_NOTE))
		r = read_note(file, arena, ret);
	return r;
}

int elf_read(int fd, unsigned want, struct arena *arena, struct elf_facts *ret)
{
	/*
	 * Static, because 90 KiB are too much for a small stack. A library usually touches one page
	 * of it.
	 */
	static struct elf_file file;
	int r;

	file.elf = NULL;
	file.head_length = 0;
	*ret = (struct elf_facts){0};
	r = read_facts(&file, fd, want, arena, ret);
	(void)elf_end(file.elf);
	file.elf = NULL;
	return r;
}
