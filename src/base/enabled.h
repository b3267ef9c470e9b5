#ifndef BASE_ENABLED_H
#define BASE_ENABLED_H

/*
 * IS_ENABLED(CONFIG_X) is 1 when the bool X is set in this image's
 * configuration, else 0, in #if and in ordinary expressions alike: the compiler
 * checks the code of both and drops the dead one.
 *
 * A bool that is set is a macro that reads 1, one that is not is no macro at
 * all. Pasted behind ENABLED_IF_, the former becomes a macro that begins a new
 * argument, the latter a meaningless word; what then stands second is the
 * answer.
 */

#define IS_ENABLED(option) ENABLED_VALUE(option)

#define ENABLED_IF_1 unused, 1
#define ENABLED_VALUE(value) ENABLED_PICK(ENABLED_IF_##value)
#define ENABLED_PICK(...) ENABLED_SECOND(__VA_ARGS__, 0, 0)
#define ENABLED_SECOND(first, second, ...) second

#endif /* BASE_ENABLED_H */
