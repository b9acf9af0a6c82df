#include <syncspawn/barrier.hpp>
#include "../barrier/barrier.hpp"
