// SPDX-License-Identifier: Apache-2.0
/* Small ELF libraries for the tests: what davit reads of one, and nothing else. */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ELF_IMAGE_SIZE 0x1000
#define ELF_BASE 0x10000u /* where the image would be loaded */

/* Where things are in the image. */
enum {
	ELF_AT_SEGMENTS = 0x40,
	ELF_AT_DYNAMIC = 0x200,
	ELF_AT_STRINGS = 0x300,
	ELF_AT_NOTE = 0x400,
	ELF_AT_NOTE_END = 0x800,
	ELF_AT_SECTION_NAMES = 0x800,
	ELF_AT_SECTIONS = 0xa00,
};

struct elf_spec {
	int bits;
	const char *soname; /* NULL: none */
	const char *note;   /* NULL: none */
	bool note_unloaded; /* no segment, only a section leads to it */
	size_t name_padding,
		text_padding; /* NULs more, counted, behind the owner and before the text */
};

static size_t elf_put_note(const struct elf_spec *spec, unsigned char *image)
{
	static const char owner[] = "NVIDIA Corporation";
	size_t name = sizeof(owner) + spec->name_padding;
	size_t text = strlen(spec->note) + spec->text_padding;
	Elf32_Nhdr header = {(Elf32_Word)name, (Elf32_Word)text, 1};
	size_t padded = (name + 3) / 4 * 4;

	memcpy(image + ELF_AT_NOTE, &header, sizeof(header));
	memcpy(image + ELF_AT_NOTE + sizeof(header), owner, sizeof(owner));
	memcpy(image + ELF_AT_NOTE + sizeof(header) + padded + spec->text_padding, spec->note,
	       strlen(spec->note));
	return sizeof(header) + padded + (text + 3) / 4 * 4;
}

#define DEFINE_ELF_BUILD(BITS)                                                                \
	static void elf_build_##BITS(const struct elf_spec *spec, unsigned char *image)       \
	{                                                                                     \
		static const char names[] = "\0.note.cuda.fwd_compatibility\0.shstrtab";      \
		Elf##BITS##_Ehdr header = {                                                   \
			.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS##BITS,       \
				    ELFDATA2LSB, EV_CURRENT},                                 \
			.e_type = ET_DYN,                                                     \
			.e_machine = BITS == 64 ? EM_X86_64 : EM_386,                         \
			.e_version = EV_CURRENT,                                              \
			.e_phoff = ELF_AT_SEGMENTS,                                           \
			.e_ehsize = sizeof(header),                                           \
			.e_phentsize = sizeof(Elf##BITS##_Phdr),                              \
			.e_phnum = 2,                                                         \
			.e_shentsize = sizeof(Elf##BITS##_Shdr),                              \
		};                                                                            \
		Elf##BITS##_Phdr segments[3] = {                                              \
			{.p_type = PT_LOAD, .p_vaddr = ELF_BASE, .p_filesz = ELF_IMAGE_SIZE}, \
			{.p_type = PT_DYNAMIC,                                                \
			 .p_offset = ELF_AT_DYNAMIC,                                          \
			 .p_filesz = 4 * sizeof(Elf##BITS##_Dyn)},                            \
		};                                                                            \
		Elf##BITS##_Dyn dynamic[4] = {                                                \
			{.d_tag = DT_STRTAB, .d_un.d_ptr = ELF_BASE + ELF_AT_STRINGS},        \
			{.d_tag = spec->soname ? DT_SONAME : DT_DEBUG, .d_un.d_val = 1},      \
		};                                                                            \
		Elf##BITS##_Shdr sections[3] = {                                              \
			{0},                                                                  \
			{.sh_name = 1,                                                        \
			 .sh_type = SHT_NOTE,                                                 \
			 .sh_offset = ELF_AT_NOTE,                                            \
			 .sh_addralign = 4},                                                  \
			{.sh_name = 31,                                                       \
			 .sh_type = SHT_STRTAB,                                               \
			 .sh_offset = ELF_AT_SECTION_NAMES,                                   \
			 .sh_size = sizeof(names)},                                           \
		};                                                                            \
		size_t note = spec->note ? elf_put_note(spec, image) : 0;                     \
                                                                                              \
		if (note && !spec->note_unloaded)                                             \
			segments[header.e_phnum++] =                                          \
				(Elf##BITS##_Phdr){.p_type = PT_NOTE,                         \
						   .p_offset = ELF_AT_NOTE,                   \
						   .p_filesz = (Elf##BITS##_Word)note,        \
						   .p_align = 4};                             \
		if (note && spec->note_unloaded) {                                            \
			header.e_shoff = ELF_AT_SECTIONS;                                     \
			header.e_shnum = 3;                                                   \
			header.e_shstrndx = 2;                                                \
			sections[1].sh_size = (Elf##BITS##_Word)note;                         \
			memcpy(image + ELF_AT_SECTIONS, sections, sizeof(sections));          \
			memcpy(image + ELF_AT_SECTION_NAMES, names, sizeof(names));           \
		}                                                                             \
		if (spec->soname)                                                             \
			(void)snprintf((char *)image + ELF_AT_STRINGS + 1,                    \
				       ELF_AT_NOTE - ELF_AT_STRINGS - 1, "%s", spec->soname); \
		memcpy(image, &header, sizeof(header));                                       \
		memcpy(image + ELF_AT_SEGMENTS, segments, sizeof(segments));                  \
		memcpy(image + ELF_AT_DYNAMIC, dynamic, sizeof(dynamic));                     \
	}
DEFINE_ELF_BUILD(32)
DEFINE_ELF_BUILD(64)

static inline void elf_build(const struct elf_spec *spec, unsigned char image[ELF_IMAGE_SIZE])
{
	memset(image, 0, ELF_IMAGE_SIZE);
	if (spec->bits == 32)
		elf_build_32(spec, image);
	else
		elf_build_64(spec, image);
}
