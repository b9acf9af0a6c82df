#include "launcher/child/raw_calls.hpp"
#include "../child/raw_calls.hpp"
#include <syncspawn/sandbox.hpp>
