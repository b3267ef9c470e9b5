#include <stdio.h>

int
main(void)
{

	puts("garner");
	return (0);
}
