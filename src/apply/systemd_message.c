// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <string.h>

#include "systemd.h"

/* D-Bus specification, "Message Format". */
#define METHOD_CALL 1
#define PROTOCOL_VERSION 1
#define SERIAL 1
enum header_field {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8
};

#define MESSAGE_FIXED 512 /* all but the unit's name and the rules */
#define RULE_MAX 64       /* two strings with their lengths, and padding */

struct message {
	uint8_t *data;
	size_t length;
};

/* The whole buffer was allocated and zeroed before, so padding only advances the length. */
static void align(struct message *message, size_t to)
{
	message->length = (message->length + to - 1) / to * to;
}

static void put_byte(struct message *message, uint8_t byte)
{
	message->data[message->length++] = byte;
}

static void put_u32_at(const struct message *message, size_t at, size_t number)
{
	const uint32_t word = (uint32_t)number;

	memcpy(message->data + at, &word, sizeof(word));
}

static void put_u32(struct message *message, size_t number)
{
	align(message, 4);
	put_u32_at(message, message->length, number);
	message->length += 4;
}

static void put_text(struct message *message, const char *text, size_t length)
{
	memcpy(message->data + message->length, text, length);
	message->length += length + 1;
}

static void put_string(struct message *message, const char *text)
{
	put_u32(message, strlen(text));
	put_text(message, text, strlen(text));
}

static void put_signature(struct message *message, const char *text)
{
	put_byte(message, (uint8_t)strlen(text));
	put_text(message, text, strlen(text));
}

/* An array's length doesn't count the padding before its first element. */
static size_t begin_array(struct message *message)
{
	put_u32(message, 0);
	align(message, 8);
	return message->length;
}

static void end_array(const struct message *message, size_t length_at, size_t begin)
{
	put_u32_at(message, length_at, message->length - begin);
}

static void put_field(struct message *message, enum header_field field, const char *type,
		      const char *text)
{
	align(message, 8);
	put_byte(message, (uint8_t)field);
	put_signature(message, type);
	if (type[0] == 'g')
		put_signature(message, text);
	else
		put_string(message, text);
}

/* Returns the offset of the body's length. */
static size_t put_header(struct message *message)
{
	size_t body_length_at, begin;

	put_byte(message, __BYTE_ORDER == __LITTLE_ENDIAN ? 'l' : 'B');
	put_byte(message, METHOD_CALL);
	put_byte(message, 0);
	put_byte(message, PROTOCOL_VERSION);
	body_length_at = message->length;
	put_u32(message, 0);
	put_u32(message, SERIAL);
	begin = begin_array(message);
	put_field(message, FIELD_PATH, "o", "/org/freedesktop/systemd1");
	put_field(message, FIELD_INTERFACE, "s", "org.freedesktop.systemd1.Manager");
	put_field(message, FIELD_MEMBER, "s", "SetUnitProperties");
	put_field(message, FIELD_DESTINATION, "s", "org.freedesktop.systemd1");
	put_field(message, FIELD_SIGNATURE, "g", "sba(sv)");
	end_array(message, begin - 4, begin);
	align(message, 8);
	return body_length_at;
}

/* /dev/char/MAJOR:MINOR (and /dev/block) is read as the numbers it holds, whether or not that link
 * exists. */
static void put_rule(struct message *message, const struct operation *operation)
{
	char path[sizeof("/dev/block/4294967295:4294967295")];

	(void)snprintf(path, sizeof(path), "/dev/%s/%u:%u", operation->block ? "block" : "char",
		       operation->major, operation->minor);
	align(message, 8);
	put_string(message, path);
	put_string(message, device_access_name(operation->access));
}

static void put_body(struct message *message, const char *unit, const struct plan *plan)
{
	size_t properties, properties_at, rules, rules_at;

	put_string(message, unit);
	put_u32(message, true); /* runtime: not longer than the scope itself */
	align(message, 4);
	properties_at = message->length;
	properties = begin_array(message);
	put_string(message, "DeviceAllow");
	put_signature(message, "a(ss)");
	align(message, 4);
	rules_at = message->length;
	rules = begin_array(message);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE_RULE)
			put_rule(message, &plan->items[i]);
	end_array(message, rules_at, rules);
	end_array(message, properties_at, properties);
}

int systemd_message(const char *unit, const struct plan *plan, struct arena *arena, uint8_t **ret,
		    size_t *ret_length)
{
	struct message message = {0};
	size_t rules = 0, body_length_at, begin;

	*ret_length = 0;
	for (size_t i = 0; i < plan->count; i++)
		rules += plan->items[i].kind == OPERATION_DEVICE_RULE;
	if (rules == 0)
		return 0;
	message.data = arena_alloc(arena, MESSAGE_FIXED + strlen(unit) + rules * RULE_MAX);
	if (!message.data)
		return -ENOMEM;
	body_length_at = put_header(&message);
	begin = message.length;
	put_body(&message, unit, plan);
	put_u32_at(&message, body_length_at, message.length - begin);
	*ret = message.data;
	*ret_length = message.length;
	return 0;
}
