/* A list page as it comes in: see the header. Only strings and brackets are looked at here; what lies between them is
 * jansson's business, item by item, and at the end that of the rest. */
#include "control/kube/kube_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct kube_page_text *text, char byte)
{
	if (text->len == text->size) {
		text->size = text->size ? text->size * 2 : 4096;
		text->bytes = realloc(text->bytes, text->size);
		if (!text->bytes)
			abort();
	}
	text->bytes[text->len++] = byte;
}

static void put_envelope(struct kube_page *page, char byte)
{
	if (page->envelope.len < KUBE_ENVELOPE_MAX)
		put(&page->envelope, byte);
	else
		page->too_long = true;
}

static void put_item(struct kube_page *page, char byte)
{
	if (page->item.len < KUBE_ITEM_MAX)
		put(&page->item, byte);
	else
		page->item_too_long = true;
}

static void end_item(struct kube_page *page, kube_page_item *item, void *context)
{
	char why[KUBE_WHY_MAX];
	json_t *value = NULL;
	if (page->item_too_long)
		snprintf(why, sizeof(why), "is longer than %d bytes", KUBE_ITEM_MAX);
	else
		value = kube_json_parse(page->item.bytes, page->item.len, why);
	item(context, value, why);
	json_decref(value);
	page->item.len = 0;
	page->in_item = page->item_too_long = false;
}

/* The name that stands in front of the bracket that is about to come, if it is a value of the top object. */
static bool key_is(const struct kube_page *page, const char *name)
{
	return page->key_len == strlen(name) && memcmp(page->envelope.bytes + page->key_at, name, page->key_len) == 0;
}

/* A byte inside of a string. */
static void string_byte(struct kube_page *page, char byte)
{
	if (page->escaped) {
		page->escaped = false;
	} else if (byte == '\\') {
		page->escaped = true;
	} else if (byte == '"') {
		page->in_string = false;
		if (page->depth == 1 && !page->too_long)
			page->key_len = page->envelope.len - page->key_at;
	}
}

/* A byte outside of strings; after it `depth` is right. */
static void structure_byte(struct kube_page *page, char byte)
{
	if (byte == '"') {
		page->in_string = true;
		page->key_at = page->envelope.len + 1;
		page->key_len = 0;
	} else if (byte == '{' || byte == '[') {
		page->depth++;
	} else if ((byte == '}' || byte == ']') && page->depth > 0) {
		page->depth--;
	}
}

enum { ITEMS_DEPTH = 2 }; /* between the brackets of "items" */

static void take(struct kube_page *page, char byte, kube_page_item *item, void *context)
{
	bool was_in_string = page->in_string;
	bool opens_items = !was_in_string && byte == '[' && page->depth == ITEMS_DEPTH - 1 && key_is(page, "items");
	bool between = page->in_items && !was_in_string && page->depth == ITEMS_DEPTH;
	bool ends_item = between && (byte == ',' || byte == ']');
	if (between && !ends_item && !strchr(" \t\r\n", byte))
		page->in_item = true;
	if (was_in_string)
		string_byte(page, byte);
	else
		structure_byte(page, byte);
	if (page->in_item && ends_item)
		end_item(page, item, context);
	if (page->in_item)
		put_item(page, byte);
	else if (!page->in_items || byte == ']')
		put_envelope(page, byte); /* of what lies between items, only the end */
	if (ends_item && byte == ']')
		page->in_items = false;
	page->in_items |= opens_items;
}

bool kube_page_feed(struct kube_page *page, const char *bytes, size_t len, kube_page_item *item, void *context)
{
	for (size_t i = 0; i < len && !page->too_long; i++)
		take(page, bytes[i], item, context);
	return !page->too_long;
}

static char *copy(const char *text)
{
	char *result = strdup(text);
	if (!result)
		abort();
	return result;
}

static bool take_head(const json_t *root, const char *kind, struct kube_page_head *out, char why[static KUBE_WHY_MAX])
{
	const char *found = kube_text(root, "kind");
	json_t *metadata = json_object_get(root, "metadata"), *items = json_object_get(root, "items");
	if (!found || strcmp(found, kind) != 0) {
		snprintf(why, KUBE_WHY_MAX, "is no %s", kind);
		return false;
	}
	if (!items || !(json_is_array(items) || json_is_null(items))) {
		snprintf(why, KUBE_WHY_MAX, "is a %s without items", kind);
		return false;
	}
	const char *version = kube_text(metadata, "resourceVersion"), *next = kube_text(metadata, "continue");
	if (!version || version[0] == '\0' || strcmp(version, "0") == 0) {
		snprintf(why, KUBE_WHY_MAX, "is a %s without a resourceVersion", kind);
		return false;
	}
	*out = (struct kube_page_head){.version = copy(version),
	                               .continue_from = next && next[0] != '\0' ? copy(next) : NULL};
	return true;
}

bool kube_page_end(struct kube_page *page, const char *kind, struct kube_page_head *out, char why[static KUBE_WHY_MAX])
{
	*out = (struct kube_page_head){0};
	if (page->too_long) {
		snprintf(why, KUBE_WHY_MAX, "has more than %d bytes beside its items", KUBE_ENVELOPE_MAX);
		return false;
	}
	if (page->in_item || page->in_items || page->depth > 0) {
		snprintf(why, KUBE_WHY_MAX, "was cut");
		return false;
	}
	json_t *root = kube_json_parse(page->envelope.bytes ? page->envelope.bytes : "", page->envelope.len, why);
	bool good = root && take_head(root, kind, out, why);
	json_decref(root);
	return good;
}

void kube_page_head_free(struct kube_page_head *head)
{
	free(head->version);
	free(head->continue_from);
	*head = (struct kube_page_head){0};
}

void kube_page_clear(struct kube_page *page)
{
	free(page->envelope.bytes);
	free(page->item.bytes);
	*page = (struct kube_page){0};
}
