#ifndef WEIR_CMicrohttpd_H
#define WEIR_CMicrohttpd_H
#endif
