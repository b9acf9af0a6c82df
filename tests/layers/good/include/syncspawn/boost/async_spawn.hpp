#include <boost/asio.hpp>
#include <syncspawn/launcher.hpp>
