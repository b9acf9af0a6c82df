#include "../../tools/render.hpp"
#include <syncspawn/boost.hpp>
