/* Any bytes as a file of tokens: all of them right, or none taken and a reason; what was read can be written and read
 * again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct token *token)
{
	if (!token_name_valid(token->name) || token->role == ROLE_NONE || strlen(token->id) != TOKEN_ID_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tokens tokens = {0};
	char why[TOKENS_TEXT_MAX] = "", name[100];
	if (tokens_parse((const char *)data, size, "file", &tokens, why)) {
		for (size_t i = 0; i < tokens.count; i++) {
			check(&tokens.list[i]);
			if (tokens_find_name(&tokens, tokens.list[i].name) != &tokens.list[i] ||
			    tokens_find_id(&tokens, tokens.list[i].id) != &tokens.list[i])
				abort();
		}
	} else if (tokens.count > 0 || tokens.list || why[0] == '\0') {
		abort();
	}
	size_t len = size < sizeof(name) - 1 ? size : sizeof(name) - 1;
	memcpy(name, data, len);
	name[len] = '\0';
	if (tokens_find_secret(&tokens, name) && tokens.count == 0)
		abort();
	tokens_free(&tokens);
	return 0;
}
