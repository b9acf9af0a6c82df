#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/launcher.hpp>
#include "../barrier/core.hpp"
// #include <syncspawn/sandbox.hpp>
