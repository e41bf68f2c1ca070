// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"
#include "systemd.h"

#define TRANSIENT "/run/systemd/transient"
/* systemd's private socket: only root can connect, and no bus daemon is involved. */
#define PRIVATE_SOCKET "/run/systemd/private"
#define UNIT_NAME_MAX 255
#define UNIT_FILE_MAX ((size_t)256 * 1024)
#define TIMEOUT_S 1
/*
 * systemd also sends signals to all connections. This is the most that a busy host sends in that
 * time.
 */
#define ANSWER_MAX ((size_t)4 * 1024 * 1024)

/* ---- which unit, and whether it has a list ----------------------------------------------- */

static bool is_unit_name(struct slice name)
{
	static const char special[] = ":-_.\\@";

	for (size_t i = 0; i < name.length; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(special, c))))
			return false;
	}
	return name.length <= UNIT_NAME_MAX;
}

const char *systemd_unit_of(const char *cgroup_path, struct arena *arena)
{
	static const char suffix[] = ".scope";
	const size_t suffix_length = sizeof(suffix) - 1;
	struct slice rest = slice_from(cgroup_path), component, unit = {0};

	while (slice_next(&rest, '/', &component))
		if (component.length > suffix_length &&
		    memcmp(component.data + component.length - suffix_length, suffix,
			   suffix_length) == 0)
			unit = component;
	return unit.length && is_unit_name(unit) ? arena_strndup(arena, unit.data, unit.length)
						 : NULL;
}

bool systemd_policy_is_strict(const char *text)
{
	static const char key[] = "DevicePolicy=";
	struct slice rest = slice_from(text), line;
	bool strict = false;

	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (!slice_starts(line, key))
			continue;
		line.data += sizeof(key) - 1;
		line.length -= sizeof(key) - 1;
		line = slice_trim(line);
		strict = slice_equal(line, "strict") || slice_equal(line, "closed");
	}
	return strict;
}

/* runc sets the policy as a property, which makes a drop-in; crun when it makes the scope. */
static bool is_strict(const struct root *transient, const char *unit, struct arena *arena)
{
	static const char *const places[] = {".d/50-DevicePolicy.conf", ""};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *path = arena_printf(arena, "%s%s", unit, places[i]);
		char *text;

		if (path && root_read(transient, path, UNIT_FILE_MAX, arena, &text, NULL) == 0 &&
		    strstr(text, "DevicePolicy="))
			return systemd_policy_is_strict(text);
	}
	return false;
}

/* ---- the conversation ------------------------------------------------------------------- */

struct link {
	int fd;
	size_t budget;
	struct timespec deadline;
};

static bool is_late(const struct link *link)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > link->deadline.tv_sec ||
	       (now.tv_sec == link->deadline.tv_sec && now.tv_nsec >= link->deadline.tv_nsec);
}

static int read_all(struct link *link, void *data, size_t length)
{
	char *at = data;

	if (length > link->budget)
		return -EPROTO;
	link->budget -= length;
	while (length > 0) {
		ssize_t n = read(link->fd, at, length);

		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		if (is_late(link))
			return -ETIMEDOUT;
		if (n > 0) {
			at += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static int pass_over(struct link *link, size_t length)
{
	char buffer[4096];
	int r = 0;

	while (r == 0 && length > 0) {
		size_t step = length < sizeof(buffer) ? length : sizeof(buffer);

		r = read_all(link, buffer, step);
		length -= step;
	}
	return r;
}

/* D-Bus specification, "Message Format": the header's fixed part. */
struct header {
	uint8_t byte_order, type, flags, version;
	uint32_t body_length, serial, fields_length;
};
enum { TYPE_RETURN = 2, TYPE_ERROR = 3 };

/* An error's body begins with a sentence. */
static int read_error(struct link *link, const struct header *header, struct error *err)
{
	char text[200] = "";
	uint32_t length = 0;
	int r = header->body_length > sizeof(length) ? read_all(link, &length, sizeof(length)) : 0;

	if (length > header->body_length - sizeof(length))
		r = -EPROTO;
	if (length > sizeof(text) - 1)
		length = sizeof(text) - 1;
	if (r == 0)
		r = read_all(link, text, length);
	if (r < 0)
		return r;
	return error_set(err, ERROR_SYSTEM, EREMOTEIO, NULL,
			 "add the devices to the scope's DeviceAllow: systemd answered: %s", text);
}

/* Reads one message. 0 (a signal), 1 (the answer) or -errno. */
static int read_message(struct link *link, struct error *err)
{
	struct header header;
	int r = read_all(link, &header, sizeof(header));

	if (r < 0)
		return r;
	if (header.byte_order != (__BYTE_ORDER == __LITTLE_ENDIAN ? 'l' : 'B') ||
	    header.fields_length > ANSWER_MAX || header.body_length > ANSWER_MAX)
		return -EPROTO;
	/* The fields are padded to the alignment of the body. */
	r = pass_over(link, ((size_t)header.fields_length + 7) / 8 * 8);
	if (r == 0 && header.type == TYPE_ERROR)
		return read_error(link, &header, err);
	if (r == 0)
		r = pass_over(link, header.body_length);
	/* davit makes only one call, so every answer belongs to it. */
	return r < 0 ? r : header.type == TYPE_RETURN;
}

/* "OK " and 32 hexadecimal digits. */
static int read_welcome(struct link *link)
{
	char line[sizeof("OK 0123456789abcdef0123456789abcdef\r\n") - 1];
	int r = read_all(link, line, 3);

	if (r == 0 && memcmp(line, "OK ", 3) != 0)
		return -EACCES;
	if (r == 0)
		r = read_all(link, line + 3, sizeof(line) - 3);
	return r < 0 || line[sizeof(line) - 1] == '\n' ? r : -EPROTO;
}

static int cannot_add(int r, struct error *err)
{
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	return r < 0 ? error_errno(err, -r, "add the devices to the scope's DeviceAllow") : 0;
}

int systemd_send(int fd, const uint8_t *message, size_t length, struct error *err)
{
	/*
	 * Authenticates as user 0 ("30" in hexadecimal), which the socket verifies. No answer needs
	 * to be awaited before the rest is sent.
	 */
	static const char hello[] = "\0AUTH EXTERNAL 30\r\nBEGIN\r\n";
	int r = file_write(fd, hello, sizeof(hello) - 1);

	return cannot_add(r < 0 ? r : file_write(fd, message, length), err);
}

int systemd_receive(int fd, struct error *err)
{
	struct link link = {.fd = fd, .budget = ANSWER_MAX};
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &link.deadline);
	link.deadline.tv_sec += TIMEOUT_S;
	r = read_welcome(&link);
	while (r == 0)
		r = read_message(&link, err);
	return r == -EREMOTEIO ? r : cannot_add(r, err);
}

/* ---- sending and receiving -------------------------------------------------------------- */

static int connect_private(void)
{
	static const struct sockaddr_un address = {AF_UNIX, PRIVATE_SOCKET};
	static const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* The filter of system calls has no send(2) with MSG_NOSIGNAL. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	return fd_take(&fd);
}

static const char consequence[] =
	"the container may lose its devices at the next systemctl daemon-reload or container update";
static const char remedy[] = "use davit-runtime, which lets the runtime register the devices";

void container_connect_systemd(struct container *container, struct arena *arena)
{
	AUTO_ROOT transient = {.fd = open(TRANSIENT, O_PATH | O_DIRECTORY | O_CLOEXEC),
			       .path = TRANSIENT};
	const char *path;

	if (transient.fd < 0)
		return;
	path = cgroup_unified_path(container->pid, arena);
	container->unit = path ? systemd_unit_of(path, arena) : NULL;
	if (!container->unit || !is_strict(&transient, container->unit, arena))
		return;
	container->systemd = connect_private();
	if (container->systemd < 0)
		log_line(LOG_LEVEL_WARNING, "%s: cannot open %s: %s (fix: %s)", consequence,
			 PRIVATE_SOCKET, strerror(-container->systemd), remedy);
}

bool systemd_ask(const struct plan *plan, const struct container *container, struct arena *arena)
{
	struct error err = {0};
	uint8_t *message = NULL;
	size_t length = 0;
	int r;

	if (container->systemd < 0)
		return false;
	r = systemd_message(container->unit, plan, arena, &message, &length);
	if (r < 0)
		error_memory(&err);
	if (length > 0)
		r = systemd_send(container->systemd, message, length, &err);
	if (r < 0)
		log_line(LOG_LEVEL_WARNING, "%s: cannot %s (fix: %s)", consequence, err.message,
			 remedy);
	return r == 0 && length > 0;
}

void systemd_await(const struct container *container)
{
	struct error err = {0};

	if (systemd_receive(container->systemd, &err) < 0)
		log_line(LOG_LEVEL_WARNING, "%s: cannot %s (fix: %s)", consequence, err.message,
			 remedy);
	else
		log_line(LOG_LEVEL_DEBUG, "systemd allows the devices to %s", container->unit);
}
