#include <syncspawn/sandbox/policy.hpp>
