#pragma once

// toml++ 3.3, for texts that anybody may have written. It takes for granted what such a text can break, and tells
// the compiler so: that a table's heading begins with a letter ("[=]"), that no character between U+00A1 and U+0499
// is looked at ("ä = 1"). The code behind these assumptions is right, and reports the error. So they are taken away.

#include <toml++/impl/forward_declarations.h>

#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(expression) static_assert(true)

#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE \
    return {}
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()

#include <toml++/toml.h>
