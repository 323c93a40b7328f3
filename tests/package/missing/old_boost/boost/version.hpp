// Stands for an installed Boost that is too old.
#define BOOST_VERSION 107400
#define BOOST_LIB_VERSION "1_74"
