// SPDX-License-Identifier: Apache-2.0
/* Types `text` into every terminal that can be reached, and asks the console to paste. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	const char *text = "typed-from-inside\n";
	char paste = 3; /* TIOCL_PASTESEL */
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY);

	for (int fd = 0; fd < 16; fd++) {
		for (const char *at = text; *at; at++)
			(void)ioctl(fd, TIOCSTI, at);
		(void)ioctl(fd, TIOCLINUX, &paste);
	}
	printf("tty %s, stdin %s, stderr %s\n", tty >= 0 ? "opened" : "none",
	       isatty(0) ? "tty" : "other", isatty(2) ? "tty" : "other");
	return 7;
}
