#include <vector>
#include "launcher/child/plan.hpp"
