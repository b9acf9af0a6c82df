#include "launcher/plan.hpp"
#include "../plan.hpp"
#include <syncspawn/sandbox.hpp>
