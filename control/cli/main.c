/* The program `pointsman`: locale and library, then cli.c. */
#include <curl/curl.h>
#include <locale.h>
#include <stdio.h>

#include "control/cli/cli.h"

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, ""); /* which characters may be printed */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		fprintf(stderr, "pointsman: libcurl cannot be started\n");
		return CLI_FAILED;
	}
	int status = cli_run(argc, argv, stdout, stderr);
	curl_global_cleanup();
	return status;
}
