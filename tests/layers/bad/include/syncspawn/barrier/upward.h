#include <syncspawn/launcher.hpp>
