#include <vector>
#include <sys/eventfd.h>
#include <syncspawn/barrier.h>
#include "barrier/core.hpp"
#include "core.hpp"
#include "../barrier/core.hpp"
