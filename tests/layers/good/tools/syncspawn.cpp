#include <syncspawn/sandbox.hpp>
#include <syncspawn/boost.hpp>
#include "tools/render.hpp"
