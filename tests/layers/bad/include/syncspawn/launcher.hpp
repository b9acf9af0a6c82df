#include <syncspawn/sandbox.hpp>
