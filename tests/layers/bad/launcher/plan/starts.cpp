#include "launcher/start/start_child.hpp"
