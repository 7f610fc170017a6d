SELECT ((((((((((1)))))))))) + (((((2))))) AS x WHERE NOT NOT NOT true AND - - - 1 < 2
