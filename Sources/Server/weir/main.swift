import Glibc

exit(runCommandLine())
