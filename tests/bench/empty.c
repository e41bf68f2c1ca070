// SPDX-License-Identifier: Apache-2.0
/* What starting and ending a process costs, whatever it does. */
int main(void)
{
	return 0;
}
