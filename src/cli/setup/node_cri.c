// SPDX-License-Identifier: Apache-2.0
/*
 * Asks an engine over its socket whether it serves CRI: one gRPC call, Version, as RFC 9113 and RFC
 * 7541 define its bytes. Only the type of the answer's frames is read, so no HPACK decoder is
 * needed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "node.h"

#define SECONDS_MAX 2
#define FRAME_HEADER 9
enum { FRAME_DATA = 0, FRAME_HEADERS = 1 };

/* grpc-status 12, UNIMPLEMENTED: the name in Huffman's code, as grpc-go writes it. */
static const unsigned char unimplemented[] = {0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34,
					      0xda, 0x8f, 2,    '1',  '2'};

/* POST, http; then the path; then the authority, the content type and `te: trailers`. */
static const char fields_before[] = {(char)0x83, (char)0x86, 0x04};
static const char fields_after[] = "\x01\x09localhost\x0f\x10\x10"
				   "application/grpc"
				   "\x00\x02te\x08trailers";

static size_t add(unsigned char *to, size_t length, const void *bytes, size_t count)
{
	memcpy(to + length, bytes, count);
	return length + count;
}

/* *ret_length: of the preface, SETTINGS, HEADERS and DATA with an empty message. */
static void make_call(const char *method, unsigned char to[static 256], size_t *ret_length)
{
	static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
	static const unsigned char data[] = {0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0};
	const unsigned char path_length = (unsigned char)strlen(method);
	const unsigned char headers[] = {
		0,
		0,
		(unsigned char)(sizeof(fields_before) + 1 + path_length + sizeof(fields_after) - 1),
		FRAME_HEADERS,
		4,
		0,
		0,
		0,
		1};
	size_t length = add(to, 0, start, sizeof(start) - 1);

	length = add(to, length, headers, sizeof(headers));
	length = add(to, length, fields_before, sizeof(fields_before));
	length = add(to, length, &path_length, 1);
	length = add(to, length, method, path_length);
	length = add(to, length, fields_after, sizeof(fields_after) - 1);
	*ret_length = add(to, length, data, sizeof(data));
}

static enum node_answer judge(const unsigned char *at, size_t length)
{
	while (length >= FRAME_HEADER) {
		size_t size = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];

		if (size > length - FRAME_HEADER)
			break;
		if (at[3] == FRAME_DATA && size)
			return NODE_READY;
		if (at[3] == FRAME_HEADERS &&
		    memmem(at + FRAME_HEADER, size, unimplemented, sizeof(unimplemented)))
			return NODE_WITHOUT_CRI;
		at += FRAME_HEADER + size;
		length -= FRAME_HEADER + size;
	}
	return NODE_CONNECTED;
}

static enum node_answer call(int fd)
{
	const struct timeval limit = {.tv_sec = SECONDS_MAX};
	enum node_answer answer = NODE_CONNECTED;
	unsigned char request[256], text[4096];
	size_t length;
	ssize_t got = 1;

	make_call("/runtime.v1.RuntimeService/Version", request, &length);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
		return answer;
	length = 0;
	while (answer == NODE_CONNECTED && length < sizeof(text) && got > 0) {
		got = recv(fd, text + length, sizeof(text) - length, 0);
		length += got > 0 ? (size_t)got : 0;
		answer = judge(text, length);
	}
	return answer;
}

/* The open file is named by /proc, since its path in the host's root may be another one here. */
enum node_answer node_ask(const struct node *node, const struct node_engine *engine)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_FD file = root_openat(&node->host, engine->socket, O_PATH);
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	if (file < 0 || fd < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return NODE_SILENT;
	return call(fd);
}
